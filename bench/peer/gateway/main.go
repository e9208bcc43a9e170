package main

// Fast in-memory gateway: raw HTTP/1.1 keep-alive with pipelining (mode raw) or net/http (mode std).
//
// With -fresh each list call renews every asset. The list call itself only publishes a new generation
// (its time and a number made from it); each answer is a private copy of the asset's pre-rendered
// body with the generation's digits written over fields of fixed width. Nothing shared is written,
// so no answer is torn, and a list call costs the same whatever the number of assets.
import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

var areas = []string{"Patel Road_Baljeet Nagar", "C Block Ranjeet Nagar", "Shadipur Depot", "Moti Nagar_UGR", "Karol Bagh_Zone 3"}
var kinds = []string{"SV", "LT Panel", "PUMP", "FM", "PT"}
var tags = [][]string{
	{"HEALTH_SCORE", "LAST_INSP_DT", "MAINT_FLAG", "VLV_MAN_STS", "WO_STS"},
	{"V_RY", "V_YB", "I_R", "KW", "PF"},
	{"PUMP_STS", "VIB_X", "TEMP_BRG", "FLOW", "RUN_HRS"},
	{"FLOW_RATE", "TOTALIZER", "VELOCITY", "PIPE_STS", "BATT_V"},
	{"PRESSURE", "TEMP", "BATT_V", "RSSI", "COMM_STS"}}

type ov struct {
	K string
	V float64
}

func build(n int) (keys []string, bodies [][]byte) {
	r := rand.New(rand.NewSource(42))
	for i := 0; i < n; i++ {
		k := i % 5
		asset := fmt.Sprintf("%s_%s_%d", areas[(i/5)%5], kinds[k], i)
		var vb bytes.Buffer
		for j, t := range tags[k] {
			if j > 0 {
				vb.WriteByte(',')
			}
			fmt.Fprintf(&vb, "\"%s\":%s", t, strconv.FormatFloat(float64(r.Intn(10000))/100, 'f', -1, 64))
		}
		inner := fmt.Sprintf(`{"record_id":"%08x-f366-4933-b220-%012x","system_id":"%s","asset_id":"%s","domain":"DEL-D08","protocol":"rest","occurred_at":"2026-06-15T01:%02d:%02d.267609313Z","values":{%s},"quality":"GOOD","alarm":"NORMAL"}`,
			r.Uint32(), r.Int63()&0xffffffffffff, string(bytes.ReplaceAll([]byte(asset), []byte(" "), []byte("_"))), asset, i%60, (i/60)%60, vb.String())
		key := "ic3:latest:" + asset
		b, _ := json.Marshal(struct {
			Key   string `json:"key"`
			Type  string `json:"type"`
			Value string `json:"value"`
		}{key, "string", inner})
		keys = append(keys, key)
		bodies = append(bodies, b)
	}
	return
}

const idMask = 1<<48 - 1
const hexDigits = "0123456789abcdef"

// generation is what one list call renews.
type generation struct {
	at    [26]byte // occurred_at down to the microsecond, UTC
	date  [29]byte // the Date header
	mix   uint64   // 48 bits, one to one with the microsecond
	count uint64
}

var (
	current   atomic.Pointer[generation]
	renewLock sync.Mutex
	lastMicro int64
	renewals  uint64
)

// renew publishes a new generation; no two have the same microsecond.
func renew() *generation {
	renewLock.Lock()
	defer renewLock.Unlock()
	micro := time.Now().UnixMicro()
	if micro <= lastMicro {
		micro = lastMicro + 1
	}
	lastMicro = micro
	renewals++
	g := &generation{count: renewals}
	t := time.UnixMicro(micro).UTC()
	copy(g.at[:], t.Format("2006-01-02T15:04:05.000000"))
	copy(g.date[:], t.Format(http.TimeFormat))
	// Odd multiplications and shifts: different microseconds give different numbers.
	x := uint64(micro) & idMask
	x = x * 0x9e3779b97f4b & idMask
	x ^= x >> 25
	x = x * 0xbf58476d1ce5 & idMask
	x ^= x >> 23
	g.mix = x
	current.Store(g)
	return g
}

// entry is one asset's pre-rendered answer and where its changing fields are.
type entry struct {
	body  []byte
	date  int    // offset of the Date header's value, -1 without one
	id    int    // offset of record_id
	at    int    // offset of occurred_at
	digit int    // offset of the last digit of the first value
	base  uint64 // the first 48 bits of record_id as rendered
	turn  uint64
}

func after(b []byte, mark string) int {
	i := bytes.Index(b, []byte(mark))
	if i < 0 {
		return -1
	}
	return i + len(mark)
}

func newEntry(b []byte, i int) *entry {
	e := &entry{body: b, date: after(b, "\r\nDate: "), turn: uint64(i)}
	e.id = after(b, `\"record_id\":\"`)
	e.at = after(b, `\"occurred_at\":\"`)
	id := string(b[e.id:e.id+8]) + string(b[e.id+9:e.id+13])
	base, err := strconv.ParseUint(id, 16, 64)
	if err != nil {
		log.Fatal(err)
	}
	e.base = base
	v := after(b, `\"values\":{`)
	e.digit = v + bytes.IndexAny(b[v:], ",}") - 1
	// The generation gives microseconds; the three digits after them are the asset's own.
	copy(b[e.at+26:], fmt.Sprintf("%03dZ", i%1000))
	return e
}

// appendTo appends the asset's answer as of generation g to dst.
func (e *entry) appendTo(dst []byte, g *generation) []byte {
	start := len(dst)
	dst = append(dst, e.body...)
	b := dst[start:]
	if e.date >= 0 {
		copy(b[e.date:], g.date[:])
	}
	id := e.base ^ g.mix
	for i := 12; i >= 0; i-- {
		if i != 8 {
			b[e.id+i] = hexDigits[id&15]
			id >>= 4
		}
	}
	copy(b[e.at:], g.at[:])
	b[e.digit] = '0' + byte((g.count+e.turn)%10)
	return dst
}

var keysBody atomic.Value // []byte full response
var keysJSON atomic.Value

func setN(keys []string, n int) {
	if n > len(keys) {
		n = len(keys)
	}
	b, _ := json.Marshal(map[string]any{"keys": keys[:n]})
	keysJSON.Store(b)
	keysBody.Store(wrap(b))
}

func wrap(b []byte) []byte {
	h := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 23 Nov 2026 02:15:00 GMT\r\nContent-Length: %d\r\n\r\n", len(b))
	return append([]byte(h), b...)
}

func unesc(dst, s []byte) []byte {
	dst = dst[:0]
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(s) {
			c = hx(s[i+1])<<4 | hx(s[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}
func hx(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}

func main() {
	n := flag.Int("n", 50000, "")
	addr := flag.String("addr", "127.0.0.1:18000", "")
	lat := flag.Duration("lat", 0, "")
	serial := flag.Bool("serial", false, "sleep per request even when pipelined")
	mode := flag.String("mode", "raw", "")
	wan := flag.Bool("wan", false, "also sleep lat on accept: models the TCP handshake round trip")
	fresh := flag.Bool("fresh", false, "each list call renews every asset's record_id, occurred_at and Date")
	flag.Parse()
	keys, bodies := build(*n)
	m := make(map[string][]byte, *n)
	entries := make(map[string]*entry, *n)
	for i, k := range keys {
		b := bodies[i]
		if *mode == "raw" {
			b = wrap(b)
		}
		if *fresh {
			entries[k] = newEntry(b, i)
		} else {
			m[k] = b
		}
	}
	if *fresh {
		renew()
	}
	setN(keys, *n)
	if *mode == "std" {
		buffers := sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}
		http.HandleFunc("/api/redis/keys", func(w http.ResponseWriter, r *http.Request) {
			if *fresh {
				renew() // Date is net/http's own, renewed by the second
			}
			w.Header().Set("Content-Type", "application/json")
			w.Write(keysJSON.Load().([]byte))
		})
		http.HandleFunc("/admin/n", func(w http.ResponseWriter, r *http.Request) {
			v, _ := strconv.Atoi(r.URL.Query().Get("n"))
			setN(keys, v)
		})
		http.HandleFunc("/api/redis/key", func(w http.ResponseWriter, r *http.Request) {
			if *lat > 0 {
				time.Sleep(*lat)
			}
			if *fresh {
				e, ok := entries[r.URL.Query().Get("k")]
				if !ok {
					http.Error(w, "{}", 404)
					return
				}
				buf := buffers.Get().(*[]byte)
				*buf = e.appendTo((*buf)[:0], current.Load())
				w.Header().Set("Content-Type", "application/json")
				w.Write(*buf)
				buffers.Put(buf)
				return
			}
			b, ok := m[r.URL.Query().Get("k")]
			if !ok {
				http.Error(w, "{}", 404)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Write(b)
		})
		log.Fatal(http.ListenAndServe(*addr, nil))
	}
	listDate := after(wrap(nil), "\r\nDate: ")
	notfound := []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer c.Close()
			if *wan {
				time.Sleep(*lat)
			}
			br := bufio.NewReaderSize(c, 65536)
			out := make([]byte, 0, 65536)
			var ub [512]byte
			for {
				// read request head
				line, err := br.ReadSlice('\n')
				if err != nil {
					return
				}
				var resp []byte
				var item *entry
				var listed *generation
				closing := false
				if i := bytes.Index(line, []byte("/api/redis/key?k=")); i > 0 {
					q := line[i+17:]
					if j := bytes.IndexByte(q, ' '); j >= 0 {
						q = q[:j]
					}
					k := unesc(ub[:], q)
					if *fresh {
						item = entries[string(k)]
					} else {
						resp = m[string(k)]
					}
					if resp == nil && item == nil {
						resp = notfound
					}
				} else if bytes.Contains(line, []byte("/api/redis/keys")) {
					if *fresh {
						listed = renew()
					}
					resp = keysBody.Load().([]byte)
				} else if i := bytes.Index(line, []byte("/admin/n?n=")); i > 0 {
					q := line[i+11:]
					if j := bytes.IndexByte(q, ' '); j >= 0 {
						q = q[:j]
					}
					s, _ := url.QueryUnescape(string(q))
					v, _ := strconv.Atoi(s)
					setN(keys, v)
					resp = wrap([]byte("{}"))
				} else {
					resp = notfound
				}
				for {
					h, err := br.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(h) <= 2 {
						break
					}
					if len(h) > 12 && (h[0] == 'C' || h[0] == 'c') && bytes.EqualFold(h[:11], []byte("connection:")) && bytes.Contains(h, []byte("close")) {
						closing = true
					}
				}
				if *serial && *lat > 0 {
					time.Sleep(*lat)
				}
				if item != nil {
					out = item.appendTo(out, current.Load())
				} else {
					start := len(out)
					out = append(out, resp...)
					if listed != nil {
						copy(out[start+listDate:], listed.date[:])
					}
				}
				if closing || br.Buffered() == 0 || len(out) > 60000 {
					if !*serial && *lat > 0 {
						time.Sleep(*lat)
					}
					if _, err := c.Write(out); err != nil {
						return
					}
					out = out[:0]
				}
				if closing {
					return
				}
			}
		}()
	}
}
