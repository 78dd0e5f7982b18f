package jsonld

// Written by TestTablesEqualOfficialContexts with -update, which also holds it
// against the published file.

// dataIntegrityV1 is https://w3id.org/security/data-integrity/v1.
var dataIntegrityV1 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "DataIntegrityProof", id: setting{isText, "https://w3id.org/security#DataIntegrityProof"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "challenge", simple: true, id: setting{isText, "https://w3id.org/security#challenge"}},
		{name: "created", id: setting{isText, "http://purl.org/dc/terms/created"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "cryptosuite", simple: true, id: setting{isText, "https://w3id.org/security#cryptosuite"}},
		{name: "domain", simple: true, id: setting{isText, "https://w3id.org/security#domain"}},
		{name: "expires", id: setting{isText, "https://w3id.org/security#expiration"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "nonce", simple: true, id: setting{isText, "https://w3id.org/security#nonce"}},
		{name: "proofPurpose", id: setting{isText, "https://w3id.org/security#proofPurpose"}, typ: "@vocab", context: source{{def: &definition{protected: true, terms: []entryTerm{
			{name: "assertionMethod", id: setting{isText, "https://w3id.org/security#assertionMethod"}, typ: "@id", containers: asSet},
			{name: "authentication", id: setting{isText, "https://w3id.org/security#authenticationMethod"}, typ: "@id", containers: asSet},
			{name: "capabilityDelegation", id: setting{isText, "https://w3id.org/security#capabilityDelegationMethod"}, typ: "@id", containers: asSet},
			{name: "capabilityInvocation", id: setting{isText, "https://w3id.org/security#capabilityInvocationMethod"}, typ: "@id", containers: asSet},
			{name: "id", simple: true, id: setting{isText, "@id"}},
			{name: "keyAgreement", id: setting{isText, "https://w3id.org/security#keyAgreementMethod"}, typ: "@id", containers: asSet},
			{name: "type", simple: true, id: setting{isText, "@type"}},
		}}}}},
		{name: "proofValue", id: setting{isText, "https://w3id.org/security#proofValue"}, typ: "https://w3id.org/security#multibase"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
		{name: "verificationMethod", id: setting{isText, "https://w3id.org/security#verificationMethod"}, typ: "@id"},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "proof", id: setting{isText, "https://w3id.org/security#proof"}, typ: "@id", containers: asGraph},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// dataIntegrityV2 is https://w3id.org/security/data-integrity/v2.
var dataIntegrityV2 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "DataIntegrityProof", id: setting{isText, "https://w3id.org/security#DataIntegrityProof"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "challenge", simple: true, id: setting{isText, "https://w3id.org/security#challenge"}},
		{name: "created", id: setting{isText, "http://purl.org/dc/terms/created"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "cryptosuite", id: setting{isText, "https://w3id.org/security#cryptosuite"}, typ: "https://w3id.org/security#cryptosuiteString"},
		{name: "domain", simple: true, id: setting{isText, "https://w3id.org/security#domain"}},
		{name: "expires", id: setting{isText, "https://w3id.org/security#expiration"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "nonce", simple: true, id: setting{isText, "https://w3id.org/security#nonce"}},
		{name: "previousProof", id: setting{isText, "https://w3id.org/security#previousProof"}, typ: "@id"},
		{name: "proofPurpose", id: setting{isText, "https://w3id.org/security#proofPurpose"}, typ: "@vocab", context: source{{def: &definition{protected: true, terms: []entryTerm{
			{name: "assertionMethod", id: setting{isText, "https://w3id.org/security#assertionMethod"}, typ: "@id", containers: asSet},
			{name: "authentication", id: setting{isText, "https://w3id.org/security#authenticationMethod"}, typ: "@id", containers: asSet},
			{name: "capabilityDelegation", id: setting{isText, "https://w3id.org/security#capabilityDelegationMethod"}, typ: "@id", containers: asSet},
			{name: "capabilityInvocation", id: setting{isText, "https://w3id.org/security#capabilityInvocationMethod"}, typ: "@id", containers: asSet},
			{name: "id", simple: true, id: setting{isText, "@id"}},
			{name: "keyAgreement", id: setting{isText, "https://w3id.org/security#keyAgreementMethod"}, typ: "@id", containers: asSet},
			{name: "type", simple: true, id: setting{isText, "@type"}},
		}}}}},
		{name: "proofValue", id: setting{isText, "https://w3id.org/security#proofValue"}, typ: "https://w3id.org/security#multibase"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
		{name: "verificationMethod", id: setting{isText, "https://w3id.org/security#verificationMethod"}, typ: "@id"},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "proof", id: setting{isText, "https://w3id.org/security#proof"}, typ: "@id", containers: asGraph},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// multikeyV1 is https://w3id.org/security/multikey/v1.
var multikeyV1 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "Multikey", id: setting{isText, "https://w3id.org/security#Multikey"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "controller", id: setting{isText, "https://w3id.org/security#controller"}, typ: "@id"},
		{name: "expires", id: setting{isText, "https://w3id.org/security#expiration"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "publicKeyMultibase", id: setting{isText, "https://w3id.org/security#publicKeyMultibase"}, typ: "https://w3id.org/security#multibase"},
		{name: "revoked", id: setting{isText, "https://w3id.org/security#revoked"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "secretKeyMultibase", id: setting{isText, "https://w3id.org/security#secretKeyMultibase"}, typ: "https://w3id.org/security#multibase"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// jwkV1 is https://w3id.org/security/jwk/v1.
var jwkV1 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "JsonWebKey", id: setting{isText, "https://w3id.org/security#JsonWebKey"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "controller", id: setting{isText, "https://w3id.org/security#controller"}, typ: "@id"},
		{name: "expires", id: setting{isText, "https://w3id.org/security#expiration"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "publicKeyJwk", id: setting{isText, "https://w3id.org/security#publicKeyJwk"}, typ: "@json"},
		{name: "revoked", id: setting{isText, "https://w3id.org/security#revoked"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "secretKeyJwk", id: setting{isText, "https://w3id.org/security#secretKeyJwk"}, typ: "@json"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// ed25519V2020 is https://w3id.org/security/suites/ed25519-2020/v1.
var ed25519V2020 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "Ed25519Signature2020", id: setting{isText, "https://w3id.org/security#Ed25519Signature2020"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "challenge", simple: true, id: setting{isText, "https://w3id.org/security#challenge"}},
		{name: "created", id: setting{isText, "http://purl.org/dc/terms/created"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "domain", simple: true, id: setting{isText, "https://w3id.org/security#domain"}},
		{name: "expires", id: setting{isText, "https://w3id.org/security#expiration"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "nonce", simple: true, id: setting{isText, "https://w3id.org/security#nonce"}},
		{name: "proofPurpose", id: setting{isText, "https://w3id.org/security#proofPurpose"}, typ: "@vocab", context: source{{def: &definition{protected: true, terms: []entryTerm{
			{name: "assertionMethod", id: setting{isText, "https://w3id.org/security#assertionMethod"}, typ: "@id", containers: asSet},
			{name: "authentication", id: setting{isText, "https://w3id.org/security#authenticationMethod"}, typ: "@id", containers: asSet},
			{name: "capabilityDelegation", id: setting{isText, "https://w3id.org/security#capabilityDelegationMethod"}, typ: "@id", containers: asSet},
			{name: "capabilityInvocation", id: setting{isText, "https://w3id.org/security#capabilityInvocationMethod"}, typ: "@id", containers: asSet},
			{name: "id", simple: true, id: setting{isText, "@id"}},
			{name: "keyAgreement", id: setting{isText, "https://w3id.org/security#keyAgreementMethod"}, typ: "@id", containers: asSet},
			{name: "type", simple: true, id: setting{isText, "@type"}},
		}}}}},
		{name: "proofValue", id: setting{isText, "https://w3id.org/security#proofValue"}, typ: "https://w3id.org/security#multibase"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
		{name: "verificationMethod", id: setting{isText, "https://w3id.org/security#verificationMethod"}, typ: "@id"},
	}}}}},
	{name: "Ed25519VerificationKey2020", id: setting{isText, "https://w3id.org/security#Ed25519VerificationKey2020"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "controller", id: setting{isText, "https://w3id.org/security#controller"}, typ: "@id"},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "publicKeyMultibase", id: setting{isText, "https://w3id.org/security#publicKeyMultibase"}, typ: "https://w3id.org/security#multibase"},
		{name: "revoked", id: setting{isText, "https://w3id.org/security#revoked"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "proof", id: setting{isText, "https://w3id.org/security#proof"}, typ: "@id", containers: asGraph},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// didV1 is https://www.w3.org/ns/did/v1.
var didV1 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "alsoKnownAs", id: setting{isText, "https://www.w3.org/ns/activitystreams#alsoKnownAs"}, typ: "@id"},
	{name: "assertionMethod", id: setting{isText, "https://w3id.org/security#assertionMethod"}, typ: "@id", containers: asSet},
	{name: "authentication", id: setting{isText, "https://w3id.org/security#authenticationMethod"}, typ: "@id", containers: asSet},
	{name: "capabilityDelegation", id: setting{isText, "https://w3id.org/security#capabilityDelegationMethod"}, typ: "@id", containers: asSet},
	{name: "capabilityInvocation", id: setting{isText, "https://w3id.org/security#capabilityInvocationMethod"}, typ: "@id", containers: asSet},
	{name: "controller", id: setting{isText, "https://w3id.org/security#controller"}, typ: "@id"},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "keyAgreement", id: setting{isText, "https://w3id.org/security#keyAgreementMethod"}, typ: "@id", containers: asSet},
	{name: "service", id: setting{isText, "https://www.w3.org/ns/did#service"}, typ: "@id", context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "serviceEndpoint", id: setting{isText, "https://www.w3.org/ns/did#serviceEndpoint"}, typ: "@id"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
	{name: "verificationMethod", id: setting{isText, "https://w3id.org/security#verificationMethod"}, typ: "@id"},
}}}}

// cidV1 is https://www.w3.org/ns/cid/v1.
var cidV1 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "JsonWebKey", id: setting{isText, "https://w3id.org/security#JsonWebKey"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "controller", id: setting{isText, "https://w3id.org/security#controller"}, typ: "@id"},
		{name: "expires", id: setting{isText, "https://w3id.org/security#expiration"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "publicKeyJwk", id: setting{isText, "https://w3id.org/security#publicKeyJwk"}, typ: "@json"},
		{name: "revoked", id: setting{isText, "https://w3id.org/security#revoked"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "secretKeyJwk", id: setting{isText, "https://w3id.org/security#secretKeyJwk"}, typ: "@json"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "Multikey", id: setting{isText, "https://w3id.org/security#Multikey"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "controller", id: setting{isText, "https://w3id.org/security#controller"}, typ: "@id"},
		{name: "expires", id: setting{isText, "https://w3id.org/security#expiration"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "publicKeyMultibase", id: setting{isText, "https://w3id.org/security#publicKeyMultibase"}, typ: "https://w3id.org/security#multibase"},
		{name: "revoked", id: setting{isText, "https://w3id.org/security#revoked"}, typ: "http://www.w3.org/2001/XMLSchema#dateTime"},
		{name: "secretKeyMultibase", id: setting{isText, "https://w3id.org/security#secretKeyMultibase"}, typ: "https://w3id.org/security#multibase"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "alsoKnownAs", id: setting{isText, "https://www.w3.org/ns/activitystreams#alsoKnownAs"}, typ: "@id"},
	{name: "assertionMethod", id: setting{isText, "https://w3id.org/security#assertionMethod"}, typ: "@id", containers: asSet},
	{name: "authentication", id: setting{isText, "https://w3id.org/security#authenticationMethod"}, typ: "@id", containers: asSet},
	{name: "capabilityDelegation", id: setting{isText, "https://w3id.org/security#capabilityDelegationMethod"}, typ: "@id", containers: asSet},
	{name: "capabilityInvocation", id: setting{isText, "https://w3id.org/security#capabilityInvocationMethod"}, typ: "@id", containers: asSet},
	{name: "controller", id: setting{isText, "https://w3id.org/security#controller"}, typ: "@id"},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "keyAgreement", id: setting{isText, "https://w3id.org/security#keyAgreementMethod"}, typ: "@id", containers: asSet},
	{name: "service", id: setting{isText, "https://www.w3.org/ns/did#service"}, typ: "@id", context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "serviceEndpoint", id: setting{isText, "https://www.w3.org/ns/did#serviceEndpoint"}, typ: "@id"},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
	{name: "verificationMethod", id: setting{isText, "https://w3id.org/security#verificationMethod"}, typ: "@id"},
}}}}
