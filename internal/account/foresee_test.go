package account

import (
	"errors"
	"reflect"
	"testing"
)

func TestForesee(t *testing.T) {
	for _, tt := range []struct {
		user  string
		extra []string
		want  Identity
		known bool
	}{
		{"", nil, Identity{0, 0, []uint32{0}, "/root", ""}, true},
		{"", []string{"7"}, Identity{0, 0, []uint32{0, 7}, "/root", ""}, true},
		{"", []string{"staff"}, Identity{0, 0, []uint32{0, nobody}, "/root", ""}, false},
		{"1000:50", []string{"7"}, Identity{1000, 50, []uint32{50, 7}, "/", ""}, true},
		{"1000", nil, Identity{1000, 0, []uint32{0}, "/", ""}, false},
		{"1000:staff", nil, Identity{1000, nobody, []uint32{nobody}, "/", ""}, false},
		{"app", nil, Identity{nobody, nobody, []uint32{nobody}, "/", "app"}, false},
		{"app:50", nil, Identity{nobody, 50, []uint32{50}, "/", "app"}, false},
	} {
		got, known, err := Foresee(tt.user, tt.extra)
		if err != nil || known != tt.known || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Foresee(%q, %q) = %+v, %v, %v; want %+v, %v", tt.user, tt.extra, got, known, err, tt.want, tt.known)
		}
	}
	var ue *UserError
	if _, _, err := Foresee("a b", nil); !errors.As(err, &ue) {
		t.Error(err)
	}
	if _, _, err := Foresee("app", []string{""}); !errors.As(err, &ue) {
		t.Error(err)
	}
}
