package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"facesearch/api"
	"facesearch/pkg/face"
)

type auditCommand struct {
	List    auditList    `cmd:"" help:"List entries of the audit log, the newest first."`
	Verify  auditVerify  `cmd:"" help:"Follow the whole audit log: exit status 1 when an entry was changed, or taken out."`
	Receipt auditReceipt `cmd:"" help:"Check an erasure receipt."`
}

type auditList struct {
	Data        string `help:"Directory of the store. A server may be running on it." default:"data" placeholder:"DIR"`
	Application string `help:"Only entries of the application of this ID." placeholder:"ID"`
	Offset      int    `help:"Entries to leave out first." default:"0"`
	Limit       int    `help:"Entries to list, at most 10000." default:"50"`
	Order       string `help:"What comes first: newest or oldest." enum:"newest,oldest" default:"newest"`
	JSON        bool   `help:"Print JSON." name:"json"`
}

// Run prints a table or JSON.
func (c *auditList) Run(ctx context.Context, to streams) error {
	query := url.Values{"application": {c.Application}, "offset": {strconv.Itoa(c.Offset)}, "limit": {strconv.Itoa(c.Limit)}, "order": {c.Order}}
	var log api.AuditResponse
	if err := askOwner(ctx, c.Data, http.MethodGet, "/audit?"+query.Encode(), nil, &log); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(to.out).Encode(log)
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tTIME\tACTOR\tACTION\tOBJECT\tDETAIL\tAPPLICATION")
	for _, each := range log.Results {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", each.Number, each.At.Format(time.RFC3339), each.Actor, each.Action, each.Object, each.Detail, each.Application)
	}
	return table.Flush()
}

type auditVerify struct {
	Data       string   `help:"Directory of the store. A server may be running on it." default:"data" placeholder:"DIR"`
	ExpectHead []string `help:"A head that this command printed before, or the number and hash in a receipt: an entry that must still be there." placeholder:"N:HASH"`
}

// Run prints the head, for whoever wants to keep it, or fails.
func (c *auditVerify) Run(ctx context.Context, to streams) error {
	verdict, err := verifyAudit(ctx, c.Data, c.ExpectHead)
	if err != nil {
		return err
	}
	fmt.Fprintf(to.err, "The audit log is whole: %d entries. Its head, to be kept elsewhere:\n", verdict.Entries)
	fmt.Fprintf(to.out, "%d:%s\n", verdict.Head.Number, verdict.Head.Hash)
	return nil
}

// verifyAudit fails when the log is not whole.
func verifyAudit(ctx context.Context, data string, heads []string) (verdict face.AuditVerdict, err error) {
	if err := askOwner(ctx, data, http.MethodGet, "/audit/verify?"+url.Values{"head": heads}.Encode(), nil, &verdict); err != nil {
		return verdict, err
	}
	if verdict.Broken != 0 {
		return verdict, fmt.Errorf("the audit log is broken at entry %d: %s", verdict.Broken, verdict.Reason)
	}
	return verdict, nil
}

type auditReceipt struct {
	File      string `arg:"" help:"The receipt: JSON, alone or in the answer it came with, or the value of the header X-Erasure-Receipt. - is standard input."`
	Data      string `help:"Also look whether the store in this directory has signed the receipt, and whether its audit log holds the entry." placeholder:"DIR"`
	PublicKey string `help:"Also look whether the receipt is signed with this key, 64 hexadecimal digits." placeholder:"KEY"`
}

const receiptBytesMax = 1 << 20

// Run says what the receipt states when it is good, and fails when it is not.
func (c *auditReceipt) Run(ctx context.Context, to streams) error {
	receipt, err := readReceipt(c.File)
	if err != nil {
		return err
	}
	if err := receipt.Verify(); err != nil {
		return err
	}
	key := hex.EncodeToString(receipt.PublicKey)
	if c.PublicKey != "" && c.PublicKey != key {
		return errors.New("the receipt is signed with another key than --public-key")
	}
	if c.Data != "" {
		var own struct {
			PublicKey string `json:"public_key"`
		}
		if err := askOwner(ctx, c.Data, http.MethodGet, "/receipt-key", nil, &own); err != nil {
			return err
		}
		if own.PublicKey != key {
			return fmt.Errorf("the store in %s has not signed this receipt: its key is %s", c.Data, own.PublicKey)
		}
		head := fmt.Sprintf("%d:%s", receipt.Entry.Number, receipt.Entry.Hash)
		if _, err := verifyAudit(ctx, c.Data, []string{head}); err != nil {
			return err
		}
	}
	fmt.Fprintf(to.err, "The receipt is good: %d session(s) and %d saved search(es) were erased at %s by %s, entry %d of the audit log, signed with %s.\n",
		receipt.Sessions, receipt.Searches, receipt.Entry.At.Format(time.RFC3339), receipt.Entry.Actor, receipt.Entry.Number, key)
	return nil
}

// readReceipt takes a receipt in each form in which the server gives it out.
func readReceipt(name string) (receipt face.Receipt, err error) {
	from := os.Stdin
	if name != "-" {
		if from, err = os.Open(name); err != nil {
			return receipt, err
		}
		defer from.Close()
	}
	data, err := io.ReadAll(io.LimitReader(from, receiptBytesMax))
	if err != nil {
		return receipt, err
	}
	if decoded, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimSpace(data))); err == nil {
		data = decoded
	}
	answer := struct{ Receipt json.RawMessage }{}
	if json.Unmarshal(data, &answer) == nil && answer.Receipt != nil {
		data = answer.Receipt
	}
	if err := json.Unmarshal(data, &receipt); err != nil {
		return receipt, errors.New("this is not a receipt: it is neither its JSON nor the value of its header")
	}
	return receipt, nil
}
