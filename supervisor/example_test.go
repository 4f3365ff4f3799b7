package supervisor_test

import (
	"context"
	"fmt"

	"github.com/ixtrun/ixt/supervisor"
)

// A program that runs the modules below a directory, calls one and stops them.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	sup, err := supervisor.New(&supervisor.Options{Dirs: []string{"../examples"}, OnDemand: true, Build: true})
	if err != nil {
		panic(err)
	}
	stopped := make(chan error)
	go func() { stopped <- sup.Run(ctx) }()

	answer, err := sup.Call(ctx, supervisor.Message{Topic: "echo.say", Payload: []byte("hello")})
	if err != nil {
		panic(err)
	}
	payload, _ := answer.Payload()
	fmt.Printf("%s\n", payload)

	stop()
	fmt.Println(<-stopped)
	// Output:
	// hello
	// <nil>
}
