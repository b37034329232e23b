// Command compose loads a Compose file with the project's own loader and prints its
// name and services.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	o, err := cli.NewProjectOptions(os.Args[1:], cli.WithOsEnv)
	if err == nil {
		project, loadErr := o.LoadProject(context.Background())
		if err = loadErr; err == nil {
			fmt.Println(project.Name, project.ServiceNames())
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
