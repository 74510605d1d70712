package main

import (
	"errors"
	"fmt"
	"io"
	"os"

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

// A configFile keeps values as they are written: a key of digits must not become a number.
type configFile map[string]yaml.Node

// Resolve implements kong.Resolver. kong would prefer the file to the environment; here the
// command line comes first, then the environment, then the file.
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	value, ok := c[flag.Name]
	if !ok || value.Tag == "!!null" {
		return nil, nil
	}
	return value.Value, nil
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
	for name, value := range c {
		if !known[name] {
			return fmt.Errorf("the config file sets %q, which is not a flag", name)
		}
		if value.Kind != yaml.ScalarNode {
			return fmt.Errorf("the config file gives %q more than one value", name)
		}
	}
	return nil
}
