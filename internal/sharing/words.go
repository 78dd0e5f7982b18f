package sharing

import (
	"time"

	"github.com/testamur/testamur/internal/consent"
)

// words are the sentences of mails in one language.
type words struct {
	subject                           map[string]string // by kind
	changed                           map[string]string // institution, day
	opened, released, watching, ended string
	look, stop                        string
	date                              func(time.Time) string
}

func wordsOf(language string) words {
	if language == consent.Spanish {
		return spanish
	}
	return english
}

var english = words{
	subject: map[string]string{
		TellWatching: "you will be told of changes", TellRevoked: "a credential that you were shown was revoked", TellSuperseded: "a credential that you were shown was replaced",
		TellSuspended: "a credential that you were shown is suspended", TellLifted: "a credential that you were shown stands again", TellEnded: "you are told of no more changes",
		TellOpened: "your link was opened", TellReleased: "a record that was ordered for you",
	},
	changed: map[string]string{
		TellRevoked:    "%s revoked a credential that you were shown, on %s: it does not stand by it.",
		TellSuperseded: "%s replaced a credential that you were shown, on %s. Ask the holder for the current one.",
		TellSuspended:  "%s suspended a credential that you were shown, on %s. Until this is lifted it is not to be relied on.",
		TellLifted:     "%s lifted the suspension of a credential that you were shown, on %s: it stands by it again.",
	},
	opened:   "Your link for %s was opened on %s. See who opened it, or end it, here:",
	released: "%s sends you a record that was ordered for %s. This link opens it, until %s:",
	watching: "%s will tell you when something behind the link that you were given is revoked, replaced or suspended, until %s.",
	ended:    "The link that you were given by a learner of %s has ended, and with it that you are told of changes. From now on, that you hear nothing does not mean that nothing changes.",
	look:     "Open the link that you were given to see what stands now.",
	stop:     "To be told of no more changes, open this page:",
	date:     func(t time.Time) string { return t.UTC().Format("2 January 2006") },
}

var spanish = words{
	subject: map[string]string{
		TellWatching: "se le avisará de los cambios", TellRevoked: "se revocó una credencial que se le mostró", TellSuperseded: "se reemplazó una credencial que se le mostró",
		TellSuspended: "se suspendió una credencial que se le mostró", TellLifted: "una credencial que se le mostró vuelve a tener validez", TellEnded: "ya no se le avisará de los cambios",
		TellOpened: "se abrió su enlace", TellReleased: "un expediente que se pidió para usted",
	},
	changed: map[string]string{
		TellRevoked:    "%s revocó una credencial que se le mostró, el %s: ya no la respalda.",
		TellSuperseded: "%s reemplazó una credencial que se le mostró, el %s. Pida la actual a su titular.",
		TellSuspended:  "%s suspendió una credencial que se le mostró, el %s. Mientras dure la suspensión no debe confiarse en ella.",
		TellLifted:     "%s levantó la suspensión de una credencial que se le mostró, el %s: vuelve a respaldarla.",
	},
	opened:   "Su enlace para %s se abrió el %s. Vea aquí quién lo abrió, o póngale fin:",
	released: "%s le envía un expediente que se pidió para %s. Este enlace lo abre, hasta el %s:",
	watching: "%s le avisará cuando se revoque, reemplace o suspenda algo de lo que muestra el enlace que recibió, hasta el %s.",
	ended:    "El enlace que recibió de un estudiante de %s ha terminado, y con él los avisos. Desde ahora, no recibir avisos no significa que nada cambie.",
	look:     "Abra el enlace que recibió para ver lo que tiene validez ahora.",
	stop:     "Para no recibir más avisos, abra esta página:",
	date:     func(t time.Time) string { return t.UTC().Format("02/01/2006") },
}
