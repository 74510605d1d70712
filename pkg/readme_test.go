package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// heldSection is the heading of the README's table of what a client sees.
const heldSection = "## What a client sees, and the test that holds it\n"

// A heldTest is a test as the table names it.
var heldTest = regexp.MustCompile("`([a-z]+)\\.(Test[A-Za-z0-9]+)(?:/([A-Za-z0-9]+))?`")

// TestReadmeTests: every row of the README's table names tests that there are.
func TestReadmeTests(t *testing.T) {
	there := testsOfTheTree(t)
	rows := 0
	for line := range strings.Lines(heldTable(t)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what a client") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|\n"), " | ")
		names := heldTest.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 2 || len(names) == 0 || len(names) != strings.Count(cells[1], "`")/2 {
			t.Errorf("this row does not name its tests: %s", line)
		}
		for _, name := range names {
			parts, known := there[name[1]+"."+name[2]]
			if !known {
				t.Errorf("there is no %s.%s, which holds: %s", name[1], name[2], cells[0])
			} else if name[3] != "" && !parts[name[3]] {
				t.Errorf("%s.%s has no part %s, which holds: %s", name[1], name[2], name[3], cells[0])
			}
		}
	}
	if rows < 40 {
		t.Errorf("the table has %d rows", rows)
	}
}

// TestReadmePaths: every path of the OpenAPI document has a row.
func TestReadmePaths(t *testing.T) {
	table := heldTable(t)
	document, err := os.ReadFile(filepath.Join("..", "api", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	operations := regexp.MustCompile(`(?m)^  (/\S*):$|^    (get|post|put|patch|delete):$`).FindAllStringSubmatch(string(document), -1)
	path := ""
	for _, each := range operations {
		if each[1] != "" {
			path = each[1]
			continue
		}
		if operation := strings.ToUpper(each[2]) + " " + path; !strings.Contains(table, "`"+operation+"`") {
			t.Errorf("the README's table has no row for %s", operation)
		}
	}
	if len(operations) < 30 {
		t.Errorf("%d paths and operations were read in the document", len(operations))
	}
}

func heldTable(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(readme), heldSection)
	if !found {
		t.Fatalf("the README has no section %q", heldSection)
	}
	table, _, _ = strings.Cut(table, "\n## ")
	return table
}

// testsOfTheTree are all tests by the name of their folder and their own, with the names of
// their parts.
func testsOfTheTree(t *testing.T) map[string]map[string]bool {
	t.Helper()
	there := map[string]map[string]bool{}
	err := filepath.WalkDir("..", func(file string, item fs.DirEntry, err error) error {
		if err != nil || item.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		folder := filepath.Base(filepath.Dir(file))
		for _, declaration := range parsed.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && strings.HasPrefix(function.Name.Name, "Test") {
				there[folder+"."+function.Name.Name] = partsOf(function)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// partsOf are the names that a test gives to t.Run.
func partsOf(function *ast.FuncDecl) map[string]bool {
	parts := map[string]bool{}
	ast.Inspect(function, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		selector, isRun := call.Fun.(*ast.SelectorExpr)
		literal, isText := call.Args[0].(*ast.BasicLit)
		if isRun && isText && selector.Sel.Name == "Run" {
			if name, err := strconv.Unquote(literal.Value); err == nil {
				parts[name] = true
			}
		}
		return true
	})
	return parts
}
