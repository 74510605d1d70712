package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"facesearch/pkg/account"
	"facesearch/pkg/face"
)

// register answers POST /auth/v2/programmatic/register/, the same whether the address is known
// or not.
func (s *Server) register(w http.ResponseWriter, r *http.Request) {
	fields, err := s.registrationFields(r, "email", "password")
	if err == nil {
		err = s.ready.Load().accounts.Register(r.Context(), clientOf(r).String(), fields["email"], fields["password"])
	}
	if err != nil {
		s.failRegistration(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, registerResponse{
		Message: "Check your e-mail for the verification code.", Email: fields["email"],
	})
}

// verifyEmail answers POST /auth/v2/programmatic/verify-email/.
func (s *Server) verifyEmail(w http.ResponseWriter, r *http.Request) {
	fields, err := s.registrationFields(r, "email", "code")
	if err != nil {
		s.failRegistration(w, r, err)
		return
	}
	made, err := s.ready.Load().accounts.Verify(r.Context(), clientOf(r).String(), fields["email"], fields["code"])
	if err != nil {
		s.failRegistration(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, verifyResponse{
		APIKey: made.Secret, Application: registeredApplication{made.Application, made.Name, made.Secret},
	})
}

type registerResponse struct {
	Message string `json:"message"`
	Email   string `json:"email"`
}

// A verifyResponse has the key twice: where the skill page of the hosted API names it, and where
// its reference has it.
type verifyResponse struct {
	APIKey      string                `json:"api_key"`
	Application registeredApplication `json:"application"`
}

type registeredApplication struct {
	UUID   string `json:"uuid"`
	Name   string `json:"name"`
	APIKey string `json:"api_key"`
}

// registrationFields reads a body of strings, all of which must be there.
func (s *Server) registrationFields(r *http.Request, names ...string) (map[string]string, error) {
	if s.ready.Load().accounts == nil {
		return nil, &face.Error{Code: face.CodeForbidden, Detail: "Registration is switched off at this server: ask its owner for an API key."}
	}
	body, err := readJSON(r, names...)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for _, name := range names {
		var value string
		if !body.has(name) || json.Unmarshal(body[name], &value) != nil || value == "" {
			return nil, face.Invalid("%s is missing, empty, or not a string.", name)
		}
		fields[name] = value
	}
	return fields, nil
}

func (s *Server) failRegistration(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *face.Error
	if errors.As(err, &refusal) && refusal.Cause != nil && refusal.Code == face.CodeBusy {
		s.options.Log.ErrorContext(r.Context(), "a mail was not sent", "request_id", requestID(r.Context()), "error", refusal.Cause.Error())
	}
	var limited *account.LimitError
	if errors.As(err, &limited) {
		limitHeaders(w, limited.Max, s.options.Now().Add(limited.Refusal.RetryAfter))
	}
	s.fail(w, r, err)
}
