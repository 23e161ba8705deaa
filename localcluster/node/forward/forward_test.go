package forward

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestCarryPassesTheEndOfEachDirectionOn(t *testing.T) {
	server := listen(t)
	go func() {
		connection, err := server.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		// The answer is sent only after the client's end was seen.
		request, _ := io.ReadAll(connection)
		_, _ = connection.Write(append([]byte("got "), request...))
	}()
	front := listen(t)
	go func() {
		connection, err := front.Accept()
		if err == nil {
			carry(connection.(*net.TCPConn), server.Addr().String())
		}
	}()

	client := dial(t, front.Addr().String())
	if _, err := client.Write([]byte("request")); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(client)
	if err != nil || string(answer) != "got request" {
		t.Fatalf("answer %q, error %v", answer, err)
	}
}

func TestCarryClosesTheClientWhereNobodyListens(t *testing.T) {
	unused := listen(t)
	target := unused.Addr().String()
	unused.Close()
	front := listen(t)
	go func() {
		connection, err := front.Accept()
		if err == nil {
			carry(connection.(*net.TCPConn), target)
		}
	}()
	answer, err := io.ReadAll(dial(t, front.Addr().String()))
	if err != nil || len(answer) != 0 {
		t.Fatalf("answer %q, error %v", answer, err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return connection.(*net.TCPConn)
}
