package main

import "github.com/spf13/cobra"

func demoCmd(g *global) *cobra.Command {
	c := &cobra.Command{Use: "demo", Short: "Small experiments that show how training works", Args: known,
		RunE: func(c *cobra.Command, _ []string) error { return usagef("demo: name one: xor") }}
	c.AddCommand(xorCmd(g))
	return c
}
