package situations

import "testing"

func TestReportedSituations(t *testing.T) {
	inEveryForm(t, Reported())
}
