package opensearch

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"facesearch/pkg/face"
)

// explain says what to do about a start that failed for a user, his rights, or a certificate.
func explain(err error, options Options) error {
	var refusal *face.Error
	status := statusOf(err)
	switch {
	case status == http.StatusUnauthorized && options.User == "":
		return fmt.Errorf("%w: the cluster asks for a user: name one with --opensearch-user, and his password in FACESEARCH_OPENSEARCH_PASSWORD", err)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%w: the cluster does not know the user %q, or the password is not his: look at --opensearch-user and FACESEARCH_OPENSEARCH_PASSWORD", err, options.User)
	case status == http.StatusForbidden:
		return fmt.Errorf("%w: the user %q lacks a right; his role needs cluster_composite_ops and cluster_monitor on the cluster, and indices_all on %s-*", err, options.User, options.Prefix)
	case errors.As(err, &refusal) && refusal.Code == face.CodeBusy && refusal.Cause != nil:
		return explainUnreachable(refusal.Cause, options)
	}
	return err
}

// explainUnreachable leaves out what a busy gallery says to a client.
func explainUnreachable(cause error, options Options) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(cause, &unknown):
		return fmt.Errorf("the cluster's certificate was not signed by an authority that is trusted here (%w): name the file of the one that signed it with --opensearch-ca", unknown)
	case errors.As(cause, &host):
		return fmt.Errorf("the cluster's certificate is of another host (%w): name the nodes with --opensearch-url as their certificates do", host)
	case strings.HasPrefix(options.URLs[0], "http:"):
		return fmt.Errorf("the cluster cannot be reached (%w): see that it runs, and if it speaks TLS, begin its addresses with https://", cause)
	}
	return fmt.Errorf("the cluster cannot be reached (%w): see that it runs, and if it does not speak TLS, begin its addresses with http://", cause)
}
