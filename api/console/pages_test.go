package console_test

import (
	"testing"
)

func TestStart(t *testing.T) {
	s := serve(t)
	b := newTab(t, s)
	b.open("")
	b.sees("API key")
	b.inspect("signin")
	b.signIn()
	b.sees("Start here", "Enrol somebody", s.url, bootstrapKey)
	b.inspect("start")
}
