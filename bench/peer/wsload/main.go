package main

// Loader of many WebSocket clients: wsload [flags] ADDR PATH NCLIENTS SECONDS.
// It counts complete data messages by their frames and answers pings.
import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// parser walks over the frames of one connection, wherever reads cut them.
type parser struct {
	header  [14]byte
	have    int    // bytes of header so far
	left    uint64 // bytes of payload still to come
	inside  bool   // in a payload
	control [125]byte
	kept    int
	onPing  func(payload []byte)
}

// feed takes the next bytes read and returns how many data frames with FIN set they completed,
// which is the number of messages.
func (p *parser) feed(b []byte) (frames int) {
	for len(b) > 0 {
		if !p.inside {
			need := 2
			if p.have >= 2 {
				need = headerSize(p.header[1])
			}
			k := copy(p.header[p.have:need], b)
			p.have += k
			b = b[k:]
			if p.have < 2 || p.have < headerSize(p.header[1]) {
				continue
			}
			p.inside = true
			p.left = p.length()
			p.kept = 0
		}
		k := uint64(len(b))
		if k > p.left {
			k = p.left
		}
		if p.header[0]&8 != 0 {
			p.kept += copy(p.control[p.kept:], b[:k])
		}
		b = b[k:]
		p.left -= k
		if p.left == 0 {
			p.inside = false
			p.have = 0
			switch opcode := p.header[0] & 15; {
			case opcode <= 2 && p.header[0]&0x80 != 0:
				frames++
			case opcode == 9 && p.onPing != nil:
				p.onPing(p.control[:p.kept])
			}
		}
	}
	return frames
}

func headerSize(second byte) int {
	size := 2
	switch second & 127 {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if second&128 != 0 {
		size += 4
	}
	return size
}

func (p *parser) length() uint64 {
	extended := 0
	switch n := p.header[1] & 127; n {
	case 126:
		extended = 2
	case 127:
		extended = 8
	default:
		return uint64(n)
	}
	var n uint64
	for _, x := range p.header[2 : 2+extended] {
		n = n<<8 | uint64(x)
	}
	return n
}

type client struct {
	conn   net.Conn
	early  []byte // what came with the handshake's answer
	frames int64
	first  int64 // unix nanoseconds of the first frame
	last   int64 // and of the last needed one
	closed int32
	parser parser
}

func connect(addr, path, bearer string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 30*time.Second)
	if err != nil {
		return nil, err
	}
	auth := ""
	if bearer != "" {
		auth = "Authorization: Bearer " + bearer + "\r\n"
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", path, addr, auth)
	br := bufio.NewReader(conn)
	status, err := br.ReadString('\n')
	if err != nil || !strings.HasPrefix(status, "HTTP/1.1 101") {
		return nil, fmt.Errorf("handshake: %q %v", status, err)
	}
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("handshake: %v", err)
		}
		if len(line) <= 2 {
			break
		}
	}
	conn.SetDeadline(time.Time{})
	early := make([]byte, br.Buffered())
	io.ReadFull(br, early)
	return &client{conn: conn, early: early}, nil
}

// read counts frames until the connection ends; finished is called once, when until frames have come or none will.
func (c *client) read(until int64, finished func()) {
	var once sync.Once
	defer once.Do(finished)
	c.parser.onPing = func(payload []byte) {
		// A pong with the mask 0, which leaves the payload as it is.
		pong := append([]byte{0x8a, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
		c.conn.Write(pong)
	}
	buf := make([]byte, 16384)
	chunk := c.early
	for {
		if k := c.parser.feed(chunk); k > 0 {
			before := atomic.LoadInt64(&c.frames)
			if until > 0 && before < until {
				now := time.Now().UnixNano()
				if before == 0 {
					atomic.StoreInt64(&c.first, now)
				}
				if before+int64(k) >= until {
					atomic.StoreInt64(&c.last, now)
				}
			}
			total := atomic.AddInt64(&c.frames, int64(k))
			if until > 0 && total >= until {
				once.Do(finished)
			}
		}
		k, err := c.conn.Read(buf)
		if err != nil {
			atomic.StoreInt32(&c.closed, 1)
			return
		}
		chunk = buf[:k]
	}
}

type result struct {
	MsgsPerS float64 `json:"msgs_per_s"`
	Frames   int64   `json:"frames"`
	Min      int64   `json:"min"`
	Max      int64   `json:"max"`
	Clients  int     `json:"clients"`
	Stalled  int     `json:"stalled"`
	Closed   int     `json:"closed"`
	Seconds  float64 `json:"seconds"`
}

type untilResult struct {
	result
	Until    int64 `json:"until"`
	Complete bool  `json:"complete"`
	FirstNS  int64 `json:"first_ns"`
	LastNS   int64 `json:"last_ns"`
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "wsload:", err)
	os.Exit(1)
}

func main() {
	bearer := flag.String("bearer", "", "sent as Authorization: Bearer in the upgrade request")
	ready := flag.Bool("ready", false, "print \"ready\" once every client is connected")
	stall := flag.Int("stall", 0, "so many clients stop reading after the handshake and stay connected")
	until := flag.Int64("until", 0, "stop when each reading client has had so many frames; SECONDS is then the limit, 0 for none")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: wsload [flags] ADDR PATH NCLIENTS SECONDS")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 4 {
		flag.Usage()
		os.Exit(2)
	}
	addr, path := flag.Arg(0), flag.Arg(1)
	n, err1 := strconv.Atoi(flag.Arg(2))
	seconds, err2 := strconv.ParseFloat(flag.Arg(3), 64)
	if err1 != nil || err2 != nil || n < 1 || seconds < 0 || *stall < 0 || *stall >= n {
		flag.Usage()
		os.Exit(2)
	}

	clients := make([]*client, n)
	var reading sync.WaitGroup
	reading.Add(n - *stall)
	var connecting sync.WaitGroup
	slots := make(chan struct{}, 50)
	for i := range clients {
		connecting.Add(1)
		slots <- struct{}{}
		go func(i int) {
			defer connecting.Done()
			c, err := connect(addr, path, *bearer)
			if err != nil {
				fail(err)
			}
			clients[i] = c
			<-slots
			if i >= *stall { // the first ones stall; clients keeps them open
				go c.read(*until, reading.Done)
			}
		}(i)
	}
	connecting.Wait()
	if *ready {
		fmt.Println("ready")
	}
	active := clients[*stall:]
	out := result{Clients: n, Stalled: *stall}
	count := func(from []int64) {
		out.Frames, out.Closed = 0, 0
		for i, c := range active {
			k := atomic.LoadInt64(&c.frames)
			if from != nil {
				k -= from[i]
			}
			out.Frames += k
			if i == 0 || k < out.Min {
				out.Min = k
			}
			if i == 0 || k > out.Max {
				out.Max = k
			}
			out.Closed += int(atomic.LoadInt32(&c.closed))
		}
	}

	if *until > 0 {
		all := make(chan struct{})
		go func() {
			reading.Wait()
			close(all)
		}()
		var limit <-chan time.Time
		if seconds > 0 {
			limit = time.After(time.Duration(seconds * float64(time.Second)))
		}
		select {
		case <-all:
		case <-limit:
		}
		count(nil)
		u := untilResult{Until: *until, Complete: true}
		for _, c := range active {
			first, last := atomic.LoadInt64(&c.first), atomic.LoadInt64(&c.last)
			if last == 0 {
				u.Complete = false
			}
			if first > 0 && (u.FirstNS == 0 || first < u.FirstNS) {
				u.FirstNS = first
			}
			if last > u.LastNS {
				u.LastNS = last
			}
		}
		if u.Complete {
			out.Seconds = float64(u.LastNS-u.FirstNS) / 1e9
			if out.Seconds > 0 {
				out.MsgsPerS = float64(*until*int64(len(active))) / out.Seconds
			}
		} else {
			u.LastNS = 0
		}
		u.result = out
		fmt.Printf("delivered %.0f msgs/s\n", out.MsgsPerS)
		json.NewEncoder(os.Stdout).Encode(u)
		if !u.Complete {
			os.Exit(3)
		}
		return
	}

	time.Sleep(time.Second)
	from := make([]int64, len(active))
	start := time.Now()
	for i, c := range active {
		from[i] = atomic.LoadInt64(&c.frames)
	}
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	out.Seconds = time.Since(start).Seconds()
	count(from)
	if out.Seconds > 0 {
		out.MsgsPerS = float64(out.Frames) / out.Seconds
	}
	fmt.Printf("delivered %.0f msgs/s\n", out.MsgsPerS)
	json.NewEncoder(os.Stdout).Encode(out)
}
