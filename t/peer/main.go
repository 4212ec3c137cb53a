// Program ltxpeer reads and writes LTX files with the Go library github.com/superfly/ltx, so that
// tests can hold the files of this project against a second implementation. It is built twice,
// against the library's two page encodings: v051.mod (frames) and go.mod (blocks).
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sort"
	"strconv"

	"github.com/superfly/ltx"
)

const usage = `usage: ltxpeer COMMAND ...
  version                                 version of the library
  verify FILE...                          reads each file whole; one line a bad file
  compact FLAGS OUT FILE...               merges; FLAGS is the header's flags (2: no checksums)
  decode OUT.db FILE                      database from a snapshot (-: standard input)
  dumpjson FILE                           header, pages, index, trailer; pages also read by index
  encode FLAGS MIN MAX TIME OUT OLD NEW   the change from database OLD to NEW; MIN 1: all of NEW`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(cmd string, args []string) error {
	switch {
	case cmd == "version" && len(args) == 0:
		return version()
	case cmd == "verify" && len(args) > 0:
		return verify(args)
	case cmd == "compact" && len(args) > 2:
		return compact(args[0], args[1], args[2:])
	case cmd == "decode" && len(args) == 2:
		return decode(args[0], args[1])
	case cmd == "dumpjson" && len(args) == 1:
		return dumpJSON(args[0])
	case cmd == "encode" && len(args) == 7:
		return encode(args)
	}
	return errors.New(usage)
}

func version() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("no build information")
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/superfly/ltx" {
			fmt.Println(dep.Version)
			return nil
		}
	}
	return errors.New("not built with the library")
}

func verify(paths []string) error {
	bad := 0
	for _, path := range paths {
		if err := verifyFile(path); err != nil {
			fmt.Printf("%s: %s\n", path, err)
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d files are bad", bad, len(paths))
	}
	fmt.Printf("%d ok\n", len(paths))
	return nil
}

func verifyFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return ltx.NewDecoder(bufio.NewReader(f)).Verify()
}

func compact(flags, out string, paths []string) error {
	n, err := strconv.ParseUint(flags, 0, 32)
	if err != nil {
		return err
	}
	var in []io.Reader
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = append(in, bufio.NewReader(f))
	}
	return create(out, func(w io.Writer) error {
		c, err := ltx.NewCompactor(w, in)
		if err != nil {
			return err
		}
		c.HeaderFlags = uint32(n)
		return c.Compact(context.Background())
	})
}

func decode(out, path string) error {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return err
		}
		defer f.Close()
	}
	return create(out, func(w io.Writer) error {
		return ltx.NewDecoder(bufio.NewReader(f)).DecodeDatabaseTo(w)
	})
}

func create(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

type page struct {
	Pgno   uint32 `json:"pgno"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

type dump struct {
	Flags         uint32 `json:"flags"`
	PageSize      uint32 `json:"page_size"`
	Commit        uint32 `json:"commit"`
	MinTXID       string `json:"min_txid"`
	MaxTXID       string `json:"max_txid"`
	Timestamp     int64  `json:"timestamp_ms"`
	PreApply      string `json:"pre_apply"`
	WALOffset     int64  `json:"wal_offset"`
	WALSize       int64  `json:"wal_size"`
	WALSalt1      uint32 `json:"wal_salt1"`
	WALSalt2      uint32 `json:"wal_salt2"`
	NodeID        string `json:"node_id"`
	Pages         []page `json:"pages"`
	PostApply     string `json:"post_apply"`
	FileChecksum  string `json:"file_checksum"`
	IndexAndPages bool   `json:"index_agrees"`
}

func dumpJSON(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	dec := ltx.NewDecoder(bytes.NewReader(raw))
	if err := dec.DecodeHeader(); err != nil {
		return err
	}
	h := dec.Header()
	sums := make(map[uint32]string)
	data := make([]byte, h.PageSize)
	for {
		var ph ltx.PageHeader
		if err := dec.DecodePage(&ph, data); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		sums[ph.Pgno] = sum(data)
	}
	if err := dec.Close(); err != nil {
		return err
	}
	d := dump{
		Flags: h.Flags, PageSize: h.PageSize, Commit: h.Commit,
		MinTXID: h.MinTXID.String(), MaxTXID: h.MaxTXID.String(), Timestamp: h.Timestamp,
		PreApply: h.PreApplyChecksum.String(), WALOffset: h.WALOffset, WALSize: h.WALSize,
		WALSalt1: h.WALSalt1, WALSalt2: h.WALSalt2, NodeID: fmt.Sprintf("%016x", h.NodeID),
		PostApply:    dec.Trailer().PostApplyChecksum.String(),
		FileChecksum: dec.Trailer().FileChecksum.String(),
	}
	if d.Pages, err = byIndex(raw); err != nil {
		return err
	}
	d.IndexAndPages = len(d.Pages) == len(sums)
	for _, p := range d.Pages {
		d.IndexAndPages = d.IndexAndPages && sums[p.Pgno] == p.SHA256
	}
	return json.NewEncoder(os.Stdout).Encode(d)
}

// byIndex reads every page the way a random reader does: the index from the end of the file, then
// each frame by itself.
func byIndex(raw []byte) ([]page, error) {
	tail := len(raw) - ltx.TrailerSize - 8
	if tail < 0 {
		return nil, errors.New("too short for an index")
	}
	size := binary.BigEndian.Uint64(raw[tail:])
	if size > uint64(tail) {
		return nil, fmt.Errorf("index of %d bytes", size)
	}
	index, err := ltx.DecodePageIndex(bytes.NewReader(raw[tail-int(size):]), 0, 1, 1)
	if err != nil {
		return nil, err
	}
	pages := make([]page, 0, len(index))
	for pgno, e := range index {
		hdr, data, err := ltx.DecodePageData(raw[e.Offset : e.Offset+e.Size])
		if err != nil {
			return nil, fmt.Errorf("page %d by index: %w", pgno, err)
		}
		if hdr.Pgno != pgno {
			return nil, fmt.Errorf("index says page %d, there is page %d", pgno, hdr.Pgno)
		}
		pages = append(pages, page{pgno, e.Offset, e.Size, sum(data)})
	}
	sort.Slice(pages, func(i, j int) bool { return pages[i].Pgno < pages[j].Pgno })
	return pages, nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func encode(args []string) error {
	var n [4]uint64
	for i := range n {
		v, err := strconv.ParseUint(args[i], 0, 64)
		if err != nil {
			return err
		}
		n[i] = v
	}
	old, err := os.ReadFile(args[5])
	if err != nil {
		return err
	}
	db, err := os.ReadFile(args[6])
	if err != nil {
		return err
	}
	if len(db) < 100 {
		return errors.New("not a database")
	}
	pageSize := uint32(binary.BigEndian.Uint16(db[16:]))
	if pageSize == 1 {
		pageSize = 65536
	}
	h := ltx.Header{
		Version: ltx.Version, Flags: uint32(n[0]), PageSize: pageSize,
		Commit: uint32(len(db) / int(pageSize)), MinTXID: ltx.TXID(n[1]), MaxTXID: ltx.TXID(n[2]),
		Timestamp: int64(n[3]),
	}
	if h.IsSnapshot() {
		old = nil
	} else if !h.NoChecksum() {
		h.PreApplyChecksum = databaseChecksum(old, pageSize)
	}
	return create(args[4], func(w io.Writer) error { return encodePages(w, h, old, db) })
}

func encodePages(w io.Writer, h ltx.Header, old, db []byte) error {
	enc, err := ltx.NewEncoder(w)
	if err != nil {
		return err
	}
	if err := enc.EncodeHeader(h); err != nil {
		return err
	}
	for pgno := uint32(1); pgno <= h.Commit; pgno++ {
		from, to := int(pgno-1)*int(h.PageSize), int(pgno)*int(h.PageSize)
		same := to <= len(old) && bytes.Equal(old[from:to], db[from:to])
		if same || pgno == ltx.LockPgno(h.PageSize) {
			continue
		}
		if err := enc.EncodePage(ltx.PageHeader{Pgno: pgno}, db[from:to]); err != nil {
			return err
		}
	}
	if !h.NoChecksum() {
		enc.SetPostApplyChecksum(databaseChecksum(db, h.PageSize))
	}
	return enc.Close()
}

// databaseChecksum leaves the lock page out, which the library's own function counts.
func databaseChecksum(db []byte, pageSize uint32) ltx.Checksum {
	c := ltx.ChecksumFlag
	for pgno := uint32(1); int(pgno)*int(pageSize) <= len(db); pgno++ {
		if pgno != ltx.LockPgno(pageSize) {
			c = ltx.ChecksumFlag | (c ^ ltx.ChecksumPage(pgno, db[int(pgno-1)*int(pageSize):int(pgno)*int(pageSize)]))
		}
	}
	return c
}
