package cli

import "github.com/spf13/cobra"

// addBuiltin adds the commands that cobra has of its own, with examples such as all others have.
func addBuiltin(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	examples := map[string]string{
		"ixt help":                  "  ixt help call",
		"ixt completion bash":       "  ixt completion bash > ~/.local/share/bash-completion/completions/ixt",
		"ixt completion zsh":        "  ixt completion zsh > ~/.zfunc/_ixt",
		"ixt completion fish":       "  ixt completion fish > ~/.config/fish/completions/ixt.fish",
		"ixt completion powershell": "  ixt completion powershell > ixt.ps1",
	}
	for _, cmd := range root.Commands() {
		for _, cmd := range append(cmd.Commands(), cmd) {
			if example := examples[cmd.CommandPath()]; example != "" {
				cmd.Example = example
			}
		}
	}
}
