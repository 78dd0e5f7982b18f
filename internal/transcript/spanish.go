package transcript

import (
	"fmt"
	"time"
)

// spanish are the sentences of the verify page by the English ones. What is
// printed stays in the language of the print.
var spanish = map[string]string{
	"No such document":                                                          "No existe ese documento",
	"Is this document current?":                                                 "¿Está vigente este documento?",
	"This document is current.":                                                 "Este documento está vigente.",
	"The institution stands by the record that it shows.":                       "La institución respalda el expediente que muestra.",
	"This document was superseded on %s.":                                       "Este documento se sustituyó el %s.",
	"This document is superseded.":                                              "Este documento está sustituido.",
	"It was authentic when it was made. Ask the holder for the current record.": "Era auténtico cuando se hizo. Pida al titular el expediente actual.",
	"The record that this document shows is suspended since %s.":                "El expediente que muestra este documento está suspendido desde el %s.",
	"The record that this document shows is suspended.":                         "El expediente que muestra este documento está suspendido.",
	"Do not rely on it until the institution lifts that.":                       "No confíe en él hasta que la institución levante la suspensión.",
	"This document was revoked on %s.":                                          "Este documento se revocó el %s.",
	"This document is revoked.":                                                 "Este documento está revocado.",
	"Do not rely on it. Ask the institution.":                                   "No confíe en él. Pregunte a la institución.",
	"The document was made on":                                                  "El documento se hizo el",
	"Does it say what was printed?":                                             "¿Dice lo que se imprimió?",
	"Type what stands on the paper under “To compare”. This page tells whether it is what was printed, and shows nothing that is not on the paper.": "Escriba lo que figura en el papel bajo «To compare». Esta página dice si es lo que se imprimió, y no muestra nada que no esté en el papel.",
	"This is what was printed.":     "Esto es lo que se imprimió.",
	"This is not what was printed.": "Esto no es lo que se imprimió.",
	"Compare":                       "Comparar",
	"Name":                          "Nombre",
	"Issued":                        "Emitido",
	"Entries":                       "Entradas",
	"Credits earned":                "Créditos obtenidos",
	"Grade point average":           "Promedio de calificaciones",
	"No document has this address. Type it as it is printed, or scan the code again.": "Ningún documento tiene esta dirección. Escríbala como está impresa o escanee el código de nuevo.",
	"The form cannot be read. Send it again.":                                         "No se puede leer el formulario. Envíelo de nuevo.",
	"The request took too long or was given up.":                                      "La petición tardó demasiado o se abandonó.",
}

var meses = [...]string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"}

// speaker is the language of a reader: "es", or English.
type speaker string

// say is a sentence in it; what is not known stays English.
func (l speaker) say(text string) string {
	if other, ok := spanish[text]; ok && l == "es" {
		return other
	}
	return text
}

// date is a day in it.
func (l speaker) date(t time.Time) string {
	if l != "es" {
		return date(t)
	}
	t = t.UTC()
	return fmt.Sprintf("%d de %s de %d", t.Day(), meses[t.Month()-1], t.Year())
}
