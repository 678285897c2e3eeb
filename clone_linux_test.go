package caisson

import (
	"reflect"
	"testing"
)

// The copy that Start takes shares nothing with what the caller has, whatever fields a Spec will have.
func TestCloneSharesNothing(t *testing.T) {
	var s Spec
	fill(t, reflect.ValueOf(&s).Elem())
	c := s.clone()
	if !reflect.DeepEqual(&s, c) {
		t.Fatalf("%+v, copied: %+v", s, *c)
	}
	apart(t, "Spec", reflect.ValueOf(s), reflect.ValueOf(*c))
}

// fill puts something into everything that can be shared.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Map, reflect.Interface, reflect.Func, reflect.Chan:
		t.Fatalf("a %s in a Spec: teach this test, and clone", v.Kind())
	}
}

// apart fails the test if two values share memory.
func apart(t *testing.T, name string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			apart(t, name+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Slice:
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", name)
		}
		for i := range a.Len() {
			apart(t, name, a.Index(i), b.Index(i))
		}
	case reflect.Pointer:
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", name)
		}
	}
}
