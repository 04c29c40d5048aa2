package replica

import (
	"net/http"

	"github.com/pipes-sync/pipes/acl"
	"github.com/pipes-sync/pipes/crdt"
)

// health says that the replica answers, and whether its store can be written.
func (h *handler) health(w http.ResponseWriter, r *http.Request) error {
	if err := h.r.store.Err(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		State string `json:"state"`
	}{"ok"})
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) error {
	s, err := h.r.Status(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s)
}

func (h *handler) docStatus(w http.ResponseWriter, r *http.Request) error {
	d, err := h.doc(r)
	if err != nil {
		return err
	}
	s, err := d.Status(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s)
}

// idAnswer is who this replica is.
type idAnswer struct {
	Person crdt.ScopeID  `json:"person"`
	Device crdt.DeviceID `json:"device"`
	Name   string        `json:"name"`
	Addrs  []string      `json:"addrs"` // where peers can dial it: nowhere while it does not listen
}

func (h *handler) id(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, idAnswer{h.r.Person(), h.r.Device(), h.r.Name(), []string{}})
}

func (h *handler) persons(w http.ResponseWriter, r *http.Request) error {
	persons, err := h.r.Persons(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, notNil(persons))
}

func (h *handler) acl(w http.ResponseWriter, r *http.Request) error {
	id, err := h.r.ResolveDoc(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	members, err := h.r.ACL(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, notNil(members))
}

func (h *handler) share(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Person string `json:"person"` // id, prefix of it, or a name known here
		Role   string `json:"role"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	role, err := acl.ParseRole(req.Role)
	if err != nil {
		return err
	}
	if role == acl.Owner {
		return badRequest("owner is the one who made the document: want relay, reader, writer or admin")
	}
	doc, err := h.r.ResolveDoc(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	person, err := h.r.ResolvePerson(r.Context(), req.Person)
	if err != nil {
		return err
	}
	grant, err := h.r.Share(r.Context(), doc, person, role)
	if err != nil {
		return err
	}
	// Who had a higher role keeps it: the answer says what holds, not what was asked.
	members, err := h.r.ACL(r.Context(), doc)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Grant == grant.Grant {
			grant.Role = m.Role
		}
	}
	return writeJSON(w, http.StatusCreated, grant)
}
