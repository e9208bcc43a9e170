package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/url"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

type RedisRESTClient struct {
	BaseURL    string
	HTTPClient *http.Client
}

func (r *RedisRESTClient) ScanKeys(ctx context.Context, pattern string) ([]string, error) {
	req, _ := http.NewRequestWithContext(ctx, "GET", r.BaseURL+"/api/redis/keys?pattern="+url.QueryEscape(pattern), nil)
	resp, err := r.HTTPClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var o struct {
		Keys []string `json:"keys"`
	}
	if json.Unmarshal(b, &o) == nil && o.Keys != nil {
		return o.Keys, nil
	}
	var a []string
	err = json.Unmarshal(b, &a)
	return a, err
}

var rawMode bool

func (r *RedisRESTClient) GetKey(ctx context.Context, key string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", r.BaseURL+"/api/redis/key?k="+url.QueryEscape(key), nil)
	if err != nil {
		return "", err
	}
	resp, err := r.HTTPClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	if rawMode {
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	var o struct {
		Key   string `json:"key"`
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
		return "", err
	}
	return o.Value, nil
}

var conc int

func (r *RedisRESTClient) MGetAll(ctx context.Context, keys []string) (map[string]string, error) {
	out := make(map[string]string, len(keys))
	sem := make(chan struct{}, conc)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, k := range keys {
		wg.Add(1)
		sem <- struct{}{}
		go func(k string) {
			defer wg.Done()
			defer func() { <-sem }()
			v, err := r.GetKey(ctx, k)
			if err != nil {
				log.Printf("get %s: %v", k, err)
				return
			}
			mu.Lock()
			out[k] = v
			mu.Unlock()
		}(k)
	}
	wg.Wait()
	return out, nil
}

type TelemetryEnvelope struct {
	RecordID   string                 `json:"record_id"`
	SystemID   string                 `json:"system_id"`
	AssetID    string                 `json:"asset_id"`
	Domain     string                 `json:"domain"`
	Protocol   string                 `json:"protocol"`
	OccurredAt time.Time              `json:"occurred_at"`
	Values     map[string]interface{} `json:"values"`
	Quality    string                 `json:"quality"`
	Alarm      string                 `json:"alarm"`
}
type tagKey struct {
	a int
	t string
}
type row struct {
	a  int
	t  string
	p  int
	vn *float64
	vt *string
	at time.Time
}

// result is what -json prints; times are medians over the cycles unless said otherwise.
type result struct {
	Name         string    `json:"name"`
	Stage        string    `json:"stage"`
	Tuned        bool      `json:"tuned"`
	Fresh        bool      `json:"fresh"`
	N            int       `json:"n"`
	Conc         int       `json:"conc"`
	Cycles       int       `json:"cycles"`
	CycleMS      float64   `json:"cycle_ms"`
	MinMS        float64   `json:"min_ms"`
	FetchMS      float64   `json:"fetch_ms"`
	KeysPerS     float64   `json:"keys_per_s"`
	CPUMSPer1000 float64   `json:"cpu_ms_per_1000"`
	StoreMS      float64   `json:"store_ms"`
	Rows         int       `json:"rows"`
	RowsPerS     float64   `json:"rows_per_s"`
	CyclesMS     []float64 `json:"cycles_ms"` // every cycle, in order
}

func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(0, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
func main() {
	base := flag.String("url", "http://127.0.0.1:18000", "")
	n := flag.Int("n", 557, "")
	tuned := flag.Bool("tuned", false, "")
	stage := flag.String("stage", "decode", "raw|fetch|decode|row|rowtx|batch|copy")
	cycles := flag.Int("cycles", 5, "")
	flag.IntVar(&conc, "conc", 20, "")
	dsn := flag.String("dsn", os.Getenv("PEER_DSN"), "")
	day := flag.Int("day", 0, "")
	limitRows := flag.Int("rows", 0, "")
	fresh := flag.Bool("fresh", false, "the gateway's times are now: do not shift them and do not empty the table first")
	asJSON := flag.Bool("json", false, "print one JSON object instead of the line of text")
	flag.Parse()
	ctx := context.Background()
	hc := &http.Client{Timeout: 10 * time.Second}
	if *tuned {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns = conc * 2
		t.MaxIdleConnsPerHost = conc * 2
		t.MaxConnsPerHost = conc
		t.DisableCompression = true
		hc.Transport = t
	}
	rawMode = *stage == "raw"
	rdb := &RedisRESTClient{*base, hc}
	// set N
	resp, err := http.Get(fmt.Sprintf("%s/admin/n?n=%d", *base, *n))
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	var pool *pgxpool.Pool
	store := *stage == "row" || *stage == "rowtx" || *stage == "batch" || *stage == "copy"
	if store {
		pool, err = pgxpool.Connect(ctx, *dsn)
		if err != nil {
			log.Fatal(err)
		}
		if !*fresh {
			pool.Exec(ctx, "truncate ic3_asset_monitoring_data")
		}
	}
	const ins = `INSERT INTO ic3_asset_monitoring_data(asset_id,tag_code,param_id,value_num,value_text,recorded_at) VALUES($1,$2,$3,$4,$5,$6) ON CONFLICT DO NOTHING`
	var walls, cpus, sts, fts []float64
	rowsN := 0
	for c := 0; c < *cycles; c++ {
		t0, c0 := time.Now(), cpu()
		keys, err := rdb.ScanKeys(ctx, "ic3:latest:*")
		if err != nil {
			log.Fatal(err)
		}
		vm, _ := rdb.MGetAll(ctx, keys)
		if len(vm) != *n {
			log.Printf("got %d of %d", len(vm), *n)
		}
		tf := time.Since(t0).Seconds()
		fts = append(fts, tf)
		if *stage != "raw" && *stage != "fetch" {
			am := map[string]int{}
			tm := map[tagKey]int{}
			if store {
				rs, err := pool.Query(ctx, "select asset_id, serialnumber from ic3_asset_master where asset_id<=$1", *n)
				if err != nil {
					log.Fatal(err)
				}
				for rs.Next() {
					var a int
					var s string
					rs.Scan(&a, &s)
					am[s] = a
				}
				rs, _ = pool.Query(ctx, "select asset_id, tag_code, param_id from ic3_asset_tag_map where asset_id<=$1", *n)
				for rs.Next() {
					var a, p int
					var s string
					rs.Scan(&a, &s, &p)
					tm[tagKey{a, s}] = p
				}
			}
			var rows []row
			shift := time.Duration(c*15+*day*86400) * time.Second
			if *fresh {
				shift = 0
			}
			for k, s := range vm {
				var e TelemetryEnvelope
				if err := json.Unmarshal([]byte(s), &e); err != nil {
					log.Fatal(err)
				}
				if store {
					a, ok := am[k[len("ic3:latest:"):]]
					if !ok {
						continue
					}
					for t, v := range e.Values {
						p, ok := tm[tagKey{a, t}]
						if !ok {
							continue
						}
						r := row{a: a, t: t, p: p, at: e.OccurredAt.Add(shift)}
						switch x := v.(type) {
						case float64:
							r.vn = &x
						case string:
							r.vt = &x
						}
						rows = append(rows, r)
					}
				}
			}
			ts := time.Now()
			rowsN = len(rows)
			switch *stage {
			case "row":
				for i, r := range rows {
					if *limitRows > 0 && i >= *limitRows {
						rowsN = i
						break
					}
					if _, err := pool.Exec(ctx, ins, r.a, r.t, r.p, r.vn, r.vt, r.at); err != nil {
						log.Fatal(err)
					}
				}
			case "rowtx":
				tx, _ := pool.Begin(ctx)
				for _, r := range rows {
					if _, err := tx.Exec(ctx, ins, r.a, r.t, r.p, r.vn, r.vt, r.at); err != nil {
						log.Fatal(err)
					}
				}
				tx.Commit(ctx)
			case "batch":
				tx, _ := pool.Begin(ctx)
				b := &pgx.Batch{}
				for _, r := range rows {
					b.Queue(ins, r.a, r.t, r.p, r.vn, r.vt, r.at)
				}
				br := tx.SendBatch(ctx, b)
				for range rows {
					if _, err := br.Exec(); err != nil {
						log.Fatal(err)
					}
				}
				br.Close()
				tx.Commit(ctx)
			case "copy":
				tx, _ := pool.Begin(ctx)
				_, err := tx.CopyFrom(ctx, pgx.Identifier{"ic3_asset_monitoring_data"}, []string{"asset_id", "tag_code", "param_id", "value_num", "value_text", "recorded_at"}, pgx.CopyFromSlice(len(rows), func(i int) ([]interface{}, error) {
					r := &rows[i]
					return []interface{}{r.a, r.t, r.p, r.vn, r.vt, r.at}, nil
				}))
				if err != nil {
					log.Fatal(err)
				}
				tx.Commit(ctx)
			}
			sts = append(sts, time.Since(ts).Seconds())
		}
		if store {
			pool.Exec(ctx, "INSERT INTO ic3_ingest_run_log(keys_scanned) VALUES($1)", *n)
		}
		walls = append(walls, time.Since(t0).Seconds())
		cpus = append(cpus, cpu()-c0)
	}
	inOrder := make([]float64, len(walls))
	for i, x := range walls {
		inOrder[i] = math.Round(x*1e6) / 1e3
	}
	med := func(x []float64) float64 {
		if len(x) == 0 {
			return 0
		}
		sort.Float64s(x)
		return x[len(x)/2]
	}
	w := med(walls)
	st := 0.0
	if store {
		st = med(sts)
	}
	name := "go-seed"
	if *tuned {
		name = "go-tuned"
	}
	if *asJSON {
		json.NewEncoder(os.Stdout).Encode(result{
			Name: name, Stage: *stage, Tuned: *tuned, Fresh: *fresh, N: *n, Conc: conc, Cycles: *cycles,
			CycleMS: w * 1e3, MinMS: walls[0] * 1e3, FetchMS: med(fts) * 1e3, KeysPerS: float64(*n) / w,
			CPUMSPer1000: med(cpus) / float64(*n) * 1e6, StoreMS: st * 1e3, Rows: rowsN,
			RowsPerS: float64(rowsN) / (st + 1e-9), CyclesMS: inOrder,
		})
		return
	}
	fmt.Fprintf(os.Stdout, "%-9s stage=%-6s n=%-6d conc=%-3d %s cycle=%.1fms min=%.1f fetch=%.1fms keys/s=%.0f cpu/1k=%.1fms store=%.1fms rows=%d rows/s=%.0f\n", name, *stage, *n, conc, (*base)[len(*base)-5:], w*1e3, walls[0]*1e3, med(fts)*1e3, float64(*n)/w, med(cpus)/float64(*n)*1e6, st*1e3, rowsN, float64(rowsN)/(st+1e-9))
}
