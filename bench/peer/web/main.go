package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v4/pgxpool"
)

type S struct {
	ID           int64     `json:"id"`
	RunAt        time.Time `json:"run_at"`
	KeysScanned  int       `json:"keys_scanned"`
	Matched      int       `json:"matched"`
	Unmatched    int       `json:"unmatched"`
	RowsInserted int       `json:"rows_inserted"`
	TagsSkipped  int       `json:"tags_skipped"`
	DurationMS   int       `json:"duration_ms"`
	ErrorMsg     *string   `json:"error_msg,omitempty"`
}

// reading is one element of /live's "monitoring".
type reading struct {
	SerialNumber  string    `json:"serial_number"`
	AssetID       int       `json:"asset_id"`
	TagCode       string    `json:"tag_code"`
	ParameterName string    `json:"parameter_name"`
	ParamTagCode  string    `json:"param_tag_code"`
	Unit          *string   `json:"unit"`
	ValueNum      *float64  `json:"value_num"`
	ValueText     *string   `json:"value_text"`
	RecordedAt    time.Time `json:"recorded_at"`
}

// The newest reading per tag, found over the whole history.
const liveQuery = `SELECT DISTINCT ON (d.tag_code) m.serialnumber, d.asset_id, d.tag_code, p.parameter_name, p.param_tag_code, p.unit, d.value_num, d.value_text, d.recorded_at
FROM ic3_asset_monitoring_data d
JOIN ic3_asset_master m ON m.asset_id = d.asset_id
JOIN ic3_parameter_master p ON p.param_id = d.param_id
WHERE m.serialnumber = $1
ORDER BY d.tag_code, d.recorded_at DESC`

type client struct {
	c    *websocket.Conn
	send chan []byte
}

var mu sync.Mutex
var clients = map[*client]bool{}
var once sync.Once

func main() {
	config, err := pgxpool.ParseConfig(os.Getenv("PEER_DSN"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 8
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/progress", func(w http.ResponseWriter, r *http.Request) {
		rows, err := pool.Query(r.Context(), `SELECT id, run_at, keys_scanned, matched, unmatched, rows_inserted, tags_skipped, duration_ms, error_msg FROM ic3_ingest_run_log ORDER BY id DESC LIMIT 20`)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer rows.Close()
		var runs []S
		for rows.Next() {
			var s S
			rows.Scan(&s.ID, &s.RunAt, &s.KeysScanned, &s.Matched, &s.Unmatched, &s.RowsInserted, &s.TagsSkipped, &s.DurationMS, &s.ErrorMsg)
			runs = append(runs, s)
		}
		var latest *S
		if len(runs) > 0 {
			latest = &runs[0]
		}
		json.NewEncoder(w).Encode(map[string]any{"runs": runs, "latest": latest})
	})
	http.HandleFunc("/live", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		serial := r.URL.Query().Get("serial_number")
		if serial == "" {
			w.WriteHeader(400)
			json.NewEncoder(w).Encode(map[string]string{"error": "serial_number required"})
			return
		}
		rows, err := pool.Query(r.Context(), liveQuery, serial)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer rows.Close()
		list := []reading{}
		for rows.Next() {
			var x reading
			if err := rows.Scan(&x.SerialNumber, &x.AssetID, &x.TagCode, &x.ParameterName, &x.ParamTagCode, &x.Unit, &x.ValueNum, &x.ValueText, &x.RecordedAt); err != nil {
				http.Error(w, err.Error(), 500)
				return
			}
			x.RecordedAt = x.RecordedAt.UTC()
			list = append(list, x)
		}
		if err := rows.Err(); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		json.NewEncoder(w).Encode(struct {
			SerialNumber string    `json:"serial_number"`
			Count        int       `json:"count"`
			Monitoring   []reading `json:"monitoring"`
		}{serial, len(list), list})
	})
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	msg := []byte(strings.Repeat("x", 300))
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		cl := &client{c, make(chan []byte, 256)}
		mu.Lock()
		clients[cl] = true
		n := len(clients)
		mu.Unlock()
		go func() {
			for m := range cl.send {
				if cl.c.WriteMessage(websocket.TextMessage, m) != nil {
					return
				}
			}
		}()
		if n >= 1000 {
			once.Do(func() {
				go func() {
					for {
						mu.Lock()
						for k := range clients {
							k.send <- msg
						}
						mu.Unlock()
					}
				}()
			})
		}
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				os.Exit(0)
			}
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
