// Command mkbucket makes the directories that it is given. The posix backend of versitygw serves every
// directory under its root as a bucket, so this is how the bucket comes to be before the server starts.
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, directory := range os.Args[1:] {
		if err := os.MkdirAll(directory, 0o750); err != nil {
			fmt.Fprintln(os.Stderr, "mkbucket:", err)
			os.Exit(1)
		}
	}
}
