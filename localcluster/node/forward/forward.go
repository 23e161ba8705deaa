// Package forward carries TCP connections from one address to another.
package forward

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const dialTimeout = 5 * time.Second

// Run accepts TCP connections on the first address and carries each to the second; it gives the
// exit code of the process.
func Run(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: forward LISTEN_ADDRESS TARGET_ADDRESS")
		return 2
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("forwarding %s to %s\n", args[0], args[1])
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return 0
		}
		if err != nil {
			// Out of file descriptors, or a client that left: neither ends the service.
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go carry(client.(*net.TCPConn), args[1])
	}
}

func carry(client *net.TCPConn, target string) {
	defer client.Close()
	connection, err := net.DialTimeout("tcp", target, dialTimeout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	server := connection.(*net.TCPConn)
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyHalf(server, client)
	}()
	copyHalf(client, server)
	<-done
}

// copyHalf passes the end of one direction on and leaves the other one open.
func copyHalf(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
	_ = from.CloseRead()
}
