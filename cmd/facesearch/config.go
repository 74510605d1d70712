package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// configLoader reads a flat YAML file whose names are those of the flags.
func configLoader(from io.Reader) (kong.Resolver, error) {
	values := configFile{}
	if err := yaml.NewDecoder(from).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the config file is not YAML of the form NAME: VALUE: %w", err)
	}
	return values, nil
}

type configFile map[string]any

// Resolve implements kong.Resolver.
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := c[flag.Name]
	if !ok {
		return nil, nil
	}
	return fmt.Sprint(value), nil
}

// Validate implements kong.Resolver: a name that is no flag is a mistake, and is said.
func (c configFile) Validate(application *kong.Application) error {
	known := map[string]bool{}
	var collect func(*kong.Node)
	collect = func(node *kong.Node) {
		for _, flag := range node.Flags {
			known[flag.Name] = true
		}
		for _, child := range node.Children {
			collect(child)
		}
	}
	collect(application.Node)
	for name := range c {
		if !known[name] {
			return fmt.Errorf("the config file sets %q, which is not a flag", name)
		}
	}
	return nil
}
