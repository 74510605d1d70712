package api

import (
	"strings"
	"testing"
)

// TestDocsEscape puts markup wherever the document has text: none of it reaches the page.
func TestDocsEscape(t *testing.T) {
	const markup = `</style><script>x</script><b onclick='y'>"`
	quoted := "'" + strings.ReplaceAll(markup, "'", "''") + "'"
	hostile := strings.ReplaceAll(`
info: {title: M, version: M, summary: M, description: M}
servers: [{url: M}]
tags: [{name: M, description: M}]
paths:
  M:
    post:
      tags: [M]
      operationId: M
      summary: M
      description: M
      parameters: [{name: M, in: query, description: M, example: M, schema: {type: M, enum: [M]}}]
      requestBody: {content: {M: {schema: {$ref: M}, example: {M: M}}}}
      responses: {M: {description: M, headers: {M: {description: M}}, content: {M: {schema: {const: M, description: M}, example: M}}}}
components:
  schemas: {M: {type: object, description: M, properties: {M: {format: M, description: M}}}}
`, "M", quoted)
	page, err := makeDocs([]byte(hostile))
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"<script", "<b ", "</style><"} {
		if strings.Contains(string(page), tag) {
			t.Errorf("the page holds %s", tag)
		}
	}
	if count := strings.Count(string(page), "&lt;script&gt;"); count < 25 {
		t.Errorf("the markup is shown %d times", count)
	}
}

func TestDocsBroken(t *testing.T) {
	for _, document := range []string{"a: [", "tags: [{name: x}]\npaths: {/y: {get: {summary: no tag}}}"} {
		if _, err := makeDocs([]byte(document)); err == nil {
			t.Errorf("%q makes a page", document)
		}
	}
}

// TestDocsShell: an apostrophe must not end the word of a command line that a reader copies.
func TestDocsShell(t *testing.T) {
	if got := shell("it's"); got != `'it'\''s'` {
		t.Error(got)
	}
}
