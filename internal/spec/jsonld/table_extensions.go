package jsonld

// Written by TestTablesEqualOfficialContexts with -update, which also holds it
// against the published file.

// extensions is https://purl.imsglobal.org/spec/ob/v3p0/extensions.json.
var extensions = source{{def: &definition{terms: []entryTerm{
	{name: "1EdTechCredentialRefresh", simple: true, id: setting{isText, "https://purl.imsglobal.org/spec/vccr/v1p0/context.json#1EdTechCredentialRefresh"}},
	{name: "1EdTechJsonSchemaValidator2019", simple: true, id: setting{isText, "https://purl.imsglobal.org/spec/vccs/v1p0/context.json#1EdTechJsonSchemaValidator2019"}},
	{name: "1EdTechRevocationList", simple: true, id: setting{isText, "https://purl.imsglobal.org/spec/vcrl/v1p0/context.json#1EdTechRevocationList"}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// accessibility300 is https://w3id.org/openbadges/extensions/accessibilityExtension/context-3.0.0.json.
var accessibility300 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "accessibilityAPI", simple: true, id: setting{isText, "https://schema.org/accessibilityAPI"}},
	{name: "accessibilityControl", simple: true, id: setting{isText, "https://schema.org/accessibilityControl"}},
	{name: "accessibilityFeature", simple: true, id: setting{isText, "https://schema.org/accessibilityFeature"}},
	{name: "accessibilityHazard", simple: true, id: setting{isText, "https://schema.org/accessibilityHazard"}},
}}}}

// applyLink300 is https://w3id.org/openbadges/extensions/applyLinkExtension/context-3.0.0.json.
var applyLink300 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "ApplyLinkAchievement", id: setting{isText, "https://w3id.org/openbadges/extensions#ApplyLinkAchievement"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// assessment20 is https://w3id.org/openbadges/extensions/assessmentExtension/v2p0/context.json.
var assessment20 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "AssessmentResultDescription", id: setting{isText, "https://purl.imsglobal.org/spec/vc/ob/vocab.html#AssessmentResultDescription"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "Artifact", simple: true, id: setting{isText, "extensions:AssessmentExtensionArtifact"}},
		{name: "Exam", simple: true, id: setting{isText, "extensions:AssessmentExtensionExam"}},
		{name: "ExternalQuestion", simple: true, id: setting{isText, "extensions:AssessmentExtensionExternalQuestion"}},
		{name: "FileQuestion", simple: true, id: setting{isText, "extensions:AssessmentExtensionFileQuestion"}},
		{name: "Performance", simple: true, id: setting{isText, "extensions:AssessmentExtensionPerformance"}},
		{name: "TextQuestion", simple: true, id: setting{isText, "extensions:AssessmentExtensionTextQuestion"}},
		{name: "assessmentEvaluation", simple: true, id: setting{isText, "extensions:assessmentEvaluation"}},
		{name: "assessmentExample", simple: true, id: setting{isText, "extensions:assessmentExample"}},
		{name: "assessmentOutput", simple: true, id: setting{isText, "extensions:assessmentOutput"}},
		{name: "assessmentType", simple: true, id: setting{isText, "extensions:assessmentType"}},
		{name: "characterLimit", simple: true, id: setting{isText, "extensions:assessmentCharacterLimit"}},
		{name: "evaluationMethod", simple: true, id: setting{isText, "extensions:assessmentEvaluationMethod"}},
		{name: "hasGroupEvaluation", simple: true, id: setting{isText, "extensions:assessmentHasGroupEvaluation"}},
		{name: "hasGroupParticipation", simple: true, id: setting{isText, "extensions:assessmentHasGroupParticipation"}},
		{name: "questions", simple: true, id: setting{isText, "extensions:assessmentQuestions"}},
		{name: "schema", simple: true, id: setting{isText, "http://schema.org/"}},
		{name: "scoringMethodExampleDescription", simple: true, id: setting{isText, "extensions:assessmentScoringMethodExampleDescription"}},
		{name: "sections", simple: true, id: setting{isText, "extensions:assessmentSections"}},
		{name: "text", simple: true, id: setting{isText, "schema:text"}},
		{name: "wordLimit", simple: true, id: setting{isText, "extensions:assessmentWordLimit"}},
	}}}}},
	{name: "extensions", simple: true, id: setting{isText, "https://w3id.org/openbadges/extensions#"}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "schema", simple: true, id: setting{isText, "http://schema.org/"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// geoCoordinates300 is https://w3id.org/openbadges/extensions/geoCoordinatesExtension/context-3.0.0.json.
var geoCoordinates300 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "Place", simple: true, id: setting{isText, "schema:Place"}},
	{name: "schema", simple: true, id: setting{isText, "http://schema.org/"}},
}}}}

// issuerAccreditation20 is https://w3id.org/openbadges/extensions/issuerAccreditationExtension/v2p0/context.json.
var issuerAccreditation20 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "AccreditationProfile", id: setting{isText, "https://purl.imsglobal.org/spec/vc/ob/vocab.html#AccreditationProfile"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "accreditationDate", simple: true, id: setting{isText, "extensions:accreditationDate"}},
		{name: "areaServed", simple: true, id: setting{isText, "schema:areaServed"}},
		{name: "contactInstructions", simple: true, id: setting{isText, "extensions:accreditationContactInstructions"}},
		{name: "educationalSector", simple: true, id: setting{isText, "extensions:accreditationEducationalSector"}},
		{name: "logo", simple: true, id: setting{isText, "schema:logo"}},
	}}}}},
	{name: "IssuerAccreditationProfile", id: setting{isText, "https://purl.imsglobal.org/spec/vc/ob/vocab.html#IssuerAccreditationProfile"}, context: source{{def: &definition{terms: []entryTerm{
		{name: "accreditations", id: setting{isText, "https://purl.imsglobal.org/spec/vc/ob/vocab.html#accreditations"}, typ: "@id", containers: asSet},
	}}}}},
	{name: "extensions", simple: true, id: setting{isText, "https://w3id.org/openbadges/extensions#"}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "schema", simple: true, id: setting{isText, "http://schema.org/"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}

// license300 is https://w3id.org/openbadges/extensions/licenseExtension/context-3.0.0.json.
var license300 = source{{def: &definition{protected: true, terms: []entryTerm{
	{name: "CCAchievement", id: setting{isText, "https://w3id.org/openbadges/extensions#CCAchievement"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "license", simple: true, id: setting{isText, "https://w3id.org/openbadges/extensions#License"}},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "License", id: setting{isText, "https://w3id.org/openbadges/extensions#License"}, context: source{{def: &definition{protected: true, terms: []entryTerm{
		{name: "CC-0", simple: true, id: setting{isText, "https://creativecommons.org/publicdomain/zero/1.0/"}},
		{name: "CC-BY", simple: true, id: setting{isText, "http://creativecommons.org/licenses/by/4.0/"}},
		{name: "CC-BY-NC", simple: true, id: setting{isText, "http://creativecommons.org/licenses/by-nc/4.0/"}},
		{name: "CC-BY-NC-ND", simple: true, id: setting{isText, "https://creativecommons.org/licenses/by-nc-nd/4.0/"}},
		{name: "CC-BY-NC-SA", simple: true, id: setting{isText, "http://creativecommons.org/licenses/by-nc-sa/4.0/"}},
		{name: "CC-BY-ND", simple: true, id: setting{isText, "http://creativecommons.org/licenses/by-nd/4.0/"}},
		{name: "CC-BY-SA", simple: true, id: setting{isText, "http://creativecommons.org/licenses/by-sa/4.0/"}},
		{name: "License", simple: true, id: setting{isText, "cc:License"}},
		{name: "cc", simple: true, id: setting{isText, "http://creativecommons.org/ns#"}},
		{name: "id", simple: true, id: setting{isText, "@id"}},
		{name: "legalCode", simple: true, id: setting{isText, "cc:legalcode"}},
		{name: "type", simple: true, id: setting{isText, "@type"}},
	}}}}},
	{name: "id", simple: true, id: setting{isText, "@id"}},
	{name: "type", simple: true, id: setting{isText, "@type"}},
}}}}
