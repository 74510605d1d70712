package opensearch

import (
	"context"
	"strings"

	"facesearch/pkg/face"
)

// Everything of an application is kept under its tenant: the application's ID, a slash, and what
// its record was born as. One that is made under the ID of another that was deleted has another
// tenant, so that nothing which is left of the first, or which somebody writes to it still, is
// ever seen by the second.

// nameOf is the application's ID.
func nameOf(tenant string) string {
	if slash := strings.LastIndexByte(tenant, '/'); slash >= 0 {
		return tenant[:slash]
	}
	return tenant
}

func tenantOf(application record) string { return application.Application + "/" + application.Born }

func unknownApplication() error { return face.NotFound("There is no such application.") }

// tenant returns CodeNotFound when there is no such application.
func (s *Store) tenant(ctx context.Context, application string) (string, error) {
	return s.tenants.get(application, func() (string, error) { return s.readTenant(ctx, application) })
}

func (s *Store) readTenant(ctx context.Context, application string) (string, error) {
	if application == "" {
		return "", unknownApplication()
	}
	var there face.Application
	r, found, err := s.getRecord(ctx, kindApplication, application, application, &there)
	if err == nil && !found {
		err = unknownApplication()
	}
	if err != nil {
		return "", err
	}
	return tenantOf(r), nil
}

// within gives a call for an application its time, and returns the tenant. Unknown applications
// are refused.
func (s *Store) within(ctx context.Context, application string) (context.Context, string, context.CancelFunc, error) {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return nil, "", nil, err
	}
	tenant, err := s.tenant(ctx, application)
	if err != nil {
		cancel()
		return nil, "", nil, err
	}
	return ctx, tenant, cancel, nil
}

// unlessDeleted returns CodeNotFound in the place of an error where the application was deleted
// meanwhile.
func (s *Store) unlessDeleted(ctx context.Context, application, tenant string, err error) error {
	now, failure := s.readTenant(ctx, application)
	if face.CodeOf(failure) == face.CodeNotFound || failure == nil && now != tenant {
		return unknownApplication()
	}
	return err
}

func notFoundIf(is bool) error {
	if !is {
		return nil
	}
	return unknownApplication()
}
