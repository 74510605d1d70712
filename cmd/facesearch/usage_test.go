package main_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"facesearch/pkg/facetest"
)

func TestUsage(t *testing.T) {
	for name, arguments := range map[string][]string{
		"NoCommand": {}, "UnknownCommand": {"fly"}, "UnknownFlag": {"serve", "--colour", "red"},
		"NoFile": {"search"}, "BadEnum": {"serve", "--index", "magic"}, "BadNumber": {"serve", "--workers", "many"},
		"TooMany": {"import", "one", "two"}, "KeysAlone": {"keys"}, "NoKeyID": {"keys", "revoke"},
		"BadScope": {"keys", "create", "--scope", "all"}, "BadDuration": {"keys", "rotate", "x", "--grace", "soon"}, "NoApplicationName": {"apps", "create"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, nil, arguments...)
			got.ended(t, 2, "facesearch: ", "Run facesearch --help")
			if got.out != "" {
				t.Errorf("standard output: %s", got.out)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	commands := []string{"serve", "search", "import", "keys create", "keys list", "keys rename", "keys rotate", "keys revoke",
		"apps create", "apps list", "apps rename", "apps delete", "credits show", "credits add", "duplicates",
		"audit list", "audit verify", "audit receipt", "media rotate", "backup", "restore",
		"models list", "models fetch", "migrate", "demo", "bench photo", "bench detect", "evaluate", "reembed", "health"}
	top := run(t, nil, "--help")
	top.ended(t, 0)
	for _, name := range append(commands, "$FACESEARCH_CONFIG", "environment", "Exit status") {
		if !strings.Contains(top.out, name) {
			t.Errorf("--help does not name %q:\n%s", name, top.out)
		}
	}
	flag := regexp.MustCompile(`(?m)^ +(?:-\w, )?--(?:\[no-\])?([a-z][a-z-]*)`)
	for _, name := range commands {
		help := run(t, nil, append(strings.Fields(name), "--help")...)
		help.ended(t, 0)
		flags := flag.FindAllStringSubmatch(help.out, -1)
		if len(flags) < 2 {
			t.Errorf("%s --help names %d flags:\n%s", name, len(flags), help.out)
		}
		for _, each := range flags {
			variable := "$FACESEARCH_" + strings.ToUpper(strings.ReplaceAll(each[1], "-", "_"))
			if each[1] != "help" && !strings.Contains(help.out, variable) {
				t.Errorf("%s --help does not name %s, which --%s can be set by:\n%s", name, variable, each[1], help.out)
			}
		}
	}
	if help := run(t, nil, "search", "--help"); !strings.Contains(help.out, "$DIDIT_API_KEY") {
		t.Errorf("search --help does not name DIDIT_API_KEY:\n%s", help.out)
	}
}

// A rung bell says which of several servers was asked.
func bell(t *testing.T) (url string, rung func() bool) {
	t.Helper()
	asked := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked <- struct{}{} }))
	t.Cleanup(server.Close)
	return server.URL, func() bool {
		select {
		case <-asked:
			return true
		default:
			return false
		}
	}
}

func config(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "facesearch.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPrecedence: the command line comes before the environment, that before the file.
func TestPrecedence(t *testing.T) {
	inFile, fileAsked := bell(t)
	inEnvironment, environmentAsked := bell(t)
	onLine, lineAsked := bell(t)
	file := config(t, "# a comment\nserver: "+inFile+"\nworkers: 3\nname:\n")
	environment := []string{"FACESEARCH_SERVER=" + inEnvironment}
	for name, each := range map[string]struct {
		environment, arguments []string
		asked                  func() bool
	}{
		"File":                {nil, []string{"--config", file}, fileAsked},
		"FileInEnvironment":   {[]string{"FACESEARCH_CONFIG=" + file}, nil, fileAsked},
		"Environment":         {environment, nil, environmentAsked},
		"EnvironmentOverFile": {environment, []string{"--config", file}, environmentAsked},
		"LineOverEnvironment": {environment, []string{"--server", onLine}, lineAsked},
		"LineOverFile":        {nil, []string{"--config", file, "--server", onLine}, lineAsked},
		"LineOverBoth":        {environment, []string{"--config", file, "--server", onLine}, lineAsked},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, each.environment, append([]string{"health"}, each.arguments...)...).ended(t, 0)
			if !each.asked() || fileAsked() || environmentAsked() || lineAsked() {
				t.Error("another server was asked")
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	for name, each := range map[string]struct{ path, words string }{
		"UnknownName": {config(t, "serverr: http://127.0.0.1:1\n"), `"serverr", which is not a flag`},
		"NotYAML":     {config(t, "server: [\n"), "not YAML"},
		"AList":       {config(t, "server: [one, two]\n"), "more than one value"},
		"NoFile":      {filepath.Join(t.TempDir(), "none.yaml"), "none.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, nil, "health", "--config", each.path).ended(t, 2, each.words)
		})
	}
}

func TestModels(t *testing.T) {
	directory := facetest.Models(t)
	t.Run("OK", func(t *testing.T) {
		for _, arguments := range [][]string{{"models", "list"}, {"models"}} {
			got := run(t, nil, append(arguments, "--models", directory)...)
			got.ended(t, 0)
			for _, word := range []string{"dlib_face_recognition_resnet_model_v1.dat", "age-v1.onnx", "LICENCE", "face-recognition-models"} {
				if !strings.Contains(got.out, word) {
					t.Errorf("%v: no %q in\n%s", arguments, word, got.out)
				}
			}
		}
	})
	t.Run("ErrMissing", func(t *testing.T) {
		got := run(t, nil, "models", "list", "--models", t.TempDir())
		got.ended(t, 1, "facesearch: ")
		if !strings.Contains(got.out, "missing") {
			t.Errorf("%s", got.out)
		}
	})
	t.Run("ErrDamaged", func(t *testing.T) {
		broken := t.TempDir()
		write(t, broken, map[string][]byte{"age-v1.onnx": []byte("half a download")})
		got := run(t, nil, "serve", "--models", broken, "--data", filepath.Join(t.TempDir(), "data"), "--addr", "127.0.0.1:0")
		got.ended(t, 1, "facesearch: ", "models fetch")
	})
}
