package jsonld

// Written by TestTablesEqualOfficialContexts with -update, which also holds it
// against the published file.

// clr200 is https://purl.imsglobal.org/spec/clr/v2p0/context.json.
var clr200 = source{{def: &definition{terms: []entryTerm{
	{name: "Association", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#Association"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "associationType", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#AssociationType"}},
		{name: "sourceId", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#sourceId"}, typ: "xsd:anyURI"},
		{name: "targetId", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#targetId"}, typ: "xsd:anyURI"},
	}}}}},
	{name: "ClrCredential", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#ClrCredential"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "ClrSubject", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#ClrSubject"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "achievement", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#achievement"}, typ: "obi:Achievement", containers: asSet},
		{name: "association", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#association"}, typ: "https://purl.imsglobal.org/spec/vc/clr/vocab.html#Association", containers: asSet},
		{name: "cred", simple: true, id: setting{isText, "https://www.w3.org/2018/credentials#"}},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "obi", simple: true, id: setting{isText, "https://purl.imsglobal.org/spec/ob/v3p0/vocab.html#"}},
		{name: "type", simple: true, id: setting{isText, "@type"}},
		{name: "verifiableCredential", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#verifiableCredential"}, typ: "cred:verifiableCredential", containers: asSet},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// clr201 is https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json.
var clr201 = source{{def: &definition{terms: []entryTerm{
	{name: "Association", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#Association"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "associationType", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#AssociationType"}},
		{name: "sourceId", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#sourceId"}, typ: "xsd:anyURI"},
		{name: "targetId", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#targetId"}, typ: "xsd:anyURI"},
	}}}}},
	{name: "ClrCredential", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#ClrCredential"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "partial", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#partial"}, typ: "xsd:boolean"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "ClrSubject", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#ClrSubject"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "achievement", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#achievement"}, typ: "obi:Achievement", containers: asSet},
		{name: "association", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#association"}, typ: "https://purl.imsglobal.org/spec/vc/clr/vocab.html#Association", containers: asSet},
		{name: "cred", simple: true, id: setting{isText, "https://www.w3.org/2018/credentials#"}},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "identifier", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#identifier-1"}, typ: "obi:Identifier", containers: asSet},
		{name: "obi", simple: true, id: setting{isText, "https://purl.imsglobal.org/spec/vc/ob/vocab.html#"}},
		{name: "type", simple: true, id: setting{isText, "@type"}},
		{name: "verifiableCredential", id: setting{isText, "https://purl.imsglobal.org/spec/vc/clr/vocab.html#verifiableCredential"}, typ: "cred:verifiableCredential", containers: asSet},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}
