// Command facesearch is a face search server and everything that is done with one from a
// terminal. Each subcommand has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// errFailed makes the program end with exitFailure when everything has been said already.
var errFailed = errors.New("")

type cli struct {
	Config kong.ConfigFlag `help:"Read flags from this YAML file: a line NAME: VALUE for each, NAME as on the command line without the dashes." placeholder:"FILE" env:"FACESEARCH_CONFIG"`

	Serve      serveCommand      `cmd:"" help:"Start the server."`
	Search     searchCommand     `cmd:"" help:"Search pictures on a server."`
	Import     importCommand     `cmd:"" help:"Enrol the pictures of a folder or a CSV file on a server."`
	Duplicates duplicatesCommand `cmd:"" help:"Find people of the gallery who look alike."`
	Apps       appsCommand       `cmd:"" help:"Create, list, rename and delete applications."`
	Keys       keysCommand       `cmd:"" help:"Create, list, rename, rotate and revoke API keys."`
	Credits    creditsCommand    `cmd:"" help:"Show and add credits, for applications whose setting credits_metered is on."`
	Media      mediaCommand      `cmd:"" help:"Rotate the secret that addresses of pictures are signed with."`
	Audit      auditCommand      `cmd:"" help:"List and verify the audit log; check erasure receipts."`
	Backup     backupCommand     `cmd:"" help:"Back up the store, while its server runs or not."`
	Restore    restoreCommand    `cmd:"" help:"Restore a backup."`
	Migrate    migrateCommand    `cmd:"" help:"Move a store from bbolt to OpenSearch or back, and check it."`
	Models     modelsCommand     `cmd:"" help:"Show, check and fetch the model files."`
	Demo       demoCommand       `cmd:"" help:"Start a server, enrol photographs and show what a search finds."`
	Bench      benchCommand      `cmd:"" help:"Measure."`
	Evaluate   evaluateCommand   `cmd:"" help:"Measure how far to trust matches, over pictures of which you know whom they show."`
	Reembed    reembedCommand    `cmd:"" help:"Move a gallery to another embedding model, from its kept pictures, while the server goes on."`
	Health     healthCommand     `cmd:"" help:"Ask a server whether it is ready: exit status 0 when it is."`
}

// A streams is where a command writes: out for what a machine reads, err for people.
type streams struct{ out, err io.Writer }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], streams{os.Stdout, os.Stderr})
	stop()
	os.Exit(status)
}

// run is the program without its process.
func run(ctx context.Context, arguments []string, to streams) int {
	var commands cli
	exited := -1
	parser, err := kong.New(&commands,
		kong.Name("facesearch"),
		kong.Description("A self-hosted 1:N face search server. Every flag can also be set in the environment, under the name shown with it, or in a config file. Exit status: 0, 1 for failure, 2 for wrong usage."),
		kong.DefaultEnvars("FACESEARCH"),
		kong.Configuration(configLoader),
		kong.Writers(to.out, to.err),
		kong.Exit(func(status int) { exited = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, Summary: true}),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(to),
		kong.Vars{"workers": fmt.Sprint(defaultWorkers())},
	)
	if err != nil {
		fmt.Fprintln(to.err, "facesearch:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(arguments)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(to.err, "facesearch: %v\nRun facesearch --help to see the commands and flags.\n", err)
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		if err.Error() != "" {
			fmt.Fprintln(to.err, "facesearch:", err)
		}
		return exitFailure
	}
	return exitOK
}
