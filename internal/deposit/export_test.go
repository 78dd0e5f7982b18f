package deposit

// Read is what is read of a deposit before anything is asked.
func Read(raw []byte) (Deposit, error) {
	d, _, err := Brought{Material: raw}.read()
	return d, err
}
