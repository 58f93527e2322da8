package expression

import "regexp"

// DataFiles are the files of the "data" sections, by their dest_file, as the helpers
// File and RegexpInFile read them. They are filled before an expression runs.
type DataFiles struct {
	Texts    map[string][]string         // lines of the type string
	Patterns map[string][]*regexp.Regexp // lines of the type regexp
}

// NewDataFiles returns DataFiles without a file.
func NewDataFiles() *DataFiles {
	return &DataFiles{Texts: map[string][]string{}, Patterns: map[string][]*regexp.Regexp{}}
}

func (d *DataFiles) lines(name string) []string {
	if lines, ok := d.Texts[name]; ok {
		return lines
	}
	return []string{}
}

func (d *DataFiles) matches(text, name string) bool {
	for _, re := range d.Patterns[name] {
		if re.MatchString(text) {
			return true
		}
	}
	return false
}
