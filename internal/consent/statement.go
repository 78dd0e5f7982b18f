package consent

import (
	"fmt"
	"time"
)

// The languages that a statement is written in.
const (
	English = "en"
	Spanish = "es"
)

// TextVersion names the wording below. It goes up with any change of it; what
// was agreed to before keeps its own words.
const TextVersion = "1"

func word(language, english, spanish string) string {
	if language == Spanish {
		return spanish
	}
	return english
}

// Statement is what a learner agrees to with a grant, in its language. It is
// kept word for word, so that a later wording does not change what was said.
func Statement(institution string, g Grant) string {
	says := statements[g.Language][g.Scope]
	if says == nil {
		return ""
	}
	return says(institution, g) + ends(g.Language, g.ExpiresAt)
}

var statements = map[string]map[string]func(string, Grant) string{
	English: {
		ToSearch: func(in string, g Grant) string {
			return fmt.Sprintf("I allow %s to let %s find me by what I can do, and to show them my name, the competencies that I hold and how I showed them, for this purpose: %s.", in, g.Party, g.Purpose)
		},
		ToRecord: func(in string, g Grant) string {
			return fmt.Sprintf("I allow %s to show my record to %s for this purpose: %s.", in, g.Party, g.Purpose)
		},
		ToItems: func(in string, g Grant) string {
			return fmt.Sprintf("I allow %s to show %d of my credentials, which I have chosen, to %s for this purpose: %s.", in, len(g.Items), g.Party, g.Purpose)
		},
	},
	Spanish: {
		ToSearch: func(in string, g Grant) string {
			return fmt.Sprintf("Permito que %s deje que %s me encuentren por lo que sé hacer, y que les muestre mi nombre, las competencias que tengo y cómo las demostré, con este fin: %s.", in, g.Party, g.Purpose)
		},
		ToRecord: func(in string, g Grant) string {
			return fmt.Sprintf("Permito que %s muestre mi expediente a %s con este fin: %s.", in, g.Party, g.Purpose)
		},
		ToItems: func(in string, g Grant) string {
			return fmt.Sprintf("Permito que %s muestre %d de mis credenciales, que he elegido, a %s con este fin: %s.", in, len(g.Items), g.Party, g.Purpose)
		},
	},
}

// ends says until when, and how to end it before.
func ends(language string, until *time.Time) string {
	if until == nil {
		return word(language, " I can withdraw this at any time; what was shown before stays known to those who saw it.",
			" Puedo retirarlo en cualquier momento; lo mostrado hasta entonces lo siguen sabiendo quienes lo vieron.")
	}
	on := until.UTC().Format("2006-01-02")
	return word(language, " This ends on "+on+", and I can withdraw it before; what was shown until then stays known to those who saw it.",
		" Esto termina el "+on+" y puedo retirarlo antes; lo mostrado hasta entonces lo siguen sabiendo quienes lo vieron.")
}
