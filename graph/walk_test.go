package graph_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/testamur/testamur/graph/gen"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/testbed"
)

// secret is in everything that the walked learner is called.
const secret = "Confidential"

// step is one field of a root: what is asked, what of the answer a caller sees
// who may, and who that is.
type step struct {
	query string
	got   string // path of what is null or missing for everybody else
	by    string // callers, by name
	made  func(*world) map[string]any
}

const (
	everyone  = "administrator registrar program_designer assessor learner otherLearner reader employer visitor"
	staffOnly = "administrator registrar program_designer assessor"
	ownToo    = staffOnly + " learner"
	catalogue = "registrar program_designer"
)

func ids(names ...string) func(*world) map[string]any {
	return func(w *world) map[string]any {
		v := map[string]any{}
		for i := 0; i < len(names); i += 2 {
			v[names[i]] = w.ids[names[i+1]]
		}
		return v
	}
}

func nothing(*world) map[string]any { return nil }

// steps are all fields of Query, Mutation and Subscription.
var steps = map[string]step{
	"Query.viewer":               {`{ viewer { id institution { name } } }`, "viewer.institution.name", everyone, nothing},
	"Query.institution":          {`{ institution { name did signingKeys { id } } }`, "institution.name", everyone, nothing},
	"Query.node":                 {`query($id: ID!) { node(id: $id) { id } }`, "node.id", ownToo, ids("id", "learner")},
	"Query.nodes":                {`query($id: ID!) { nodes(ids: [$id]) { id } }`, "nodes.0.id", ownToo, ids("id", "assertion")},
	"Query.learner":              {`query($id: ID!) { learner(id: $id) { displayName } }`, "learner.displayName", ownToo, ids("id", "learner")},
	"Query.learners":             {`{ learners(filter: {text: "` + secret + `"}) { nodes { displayName } } }`, "learners.nodes.0.displayName", ownToo, nothing},
	"Query.framework":            {`query($id: ID!) { framework(id: $id) { title } }`, "framework.title", everyone, ids("id", "framework")},
	"Query.frameworks":           {`{ frameworks { nodes { title } } }`, "frameworks.nodes.0.title", everyone, nothing},
	"Query.previewFramework":     {`query($id: ID!) { previewFramework(uploadId: $id) { title toVersion } }`, "previewFramework.title", catalogue, (*world).newPackage},
	"Query.crosswalks":           {`{ crosswalks { nodes { id origin { fullStatement } } } }`, "crosswalks.nodes.0.origin", everyone, nothing},
	"Query.competency":           {`query($id: ID!) { competency(id: $id) { fullStatement } }`, "competency.fullStatement", everyone, ids("id", "competency")},
	"Query.course":               {`query($id: ID!) { course(id: $id) { title } }`, "course.title", everyone, ids("id", "course")},
	"Query.courses":              {`{ courses { nodes { title } } }`, "courses.nodes.0.title", everyone, nothing},
	"Query.achievement":          {`query($id: ID!) { achievement(id: $id) { uri } }`, "achievement.uri", everyone, ids("id", "achievement")},
	"Query.achievements":         {`{ achievements { nodes { uri } } }`, "achievements.nodes.0.uri", everyone, nothing},
	"Query.assertion":            {`query($id: ID!) { assertion(id: $id) { learner { displayName } } }`, "assertion.learner.displayName", ownToo, ids("id", "assertion")},
	"Query.assertions":           {`{ assertions { nodes { learner { displayName } } } }`, "assertions.nodes.0.learner.displayName", ownToo, nothing},
	"Query.masteryRule":          {`query($id: ID!) { masteryRule(id: $id) { sentence } }`, "masteryRule.sentence", everyone, ids("id", "masteryRule")},
	"Query.masteryRules":         {`{ masteryRules { nodes { sentence } } }`, "masteryRules.nodes.0.sentence", everyone, nothing},
	"Query.program":              {`query($id: ID!) { program(id: $id) { title requirements { key course { code } competency { id } achievement { id } } } }`, "program.title", everyone, ids("id", "program")},
	"Query.programs":             {`{ programs { nodes { title requirements { title } } } }`, "programs.nodes.0.title", everyone, nothing},
	"Query.credential":           {`query($id: ID!) { credential(id: $id) { document } }`, "credential.document", ownToo, nothingHeld("credential")},
	"Query.record":               {`query($id: ID!) { record(id: $id) { learner { displayName } items { document } prints { id learner { displayName } recipient verifyPage } } }`, "record.learner.displayName", ownToo, nothingHeld("record")},
	"Query.correction":           {`query($id: ID!) { correction(id: $id) { learner { displayName } items { why record { version } credential { id } } } }`, "correction.learner.displayName", staffOnly, (*world).newCorrection},
	"Query.corrections":          {`{ corrections(filter: {state: OPEN}) { nodes { learner { displayName } } } }`, "corrections.nodes.0.learner.displayName", staffOnly, (*world).newCorrection},
	"Mutation.proposeCorrection": {`mutation($credential: ID!) { proposeCorrection(input: {credentialId: $credential, reason: "It was another."}) { correction { id } userErrors { code } } }`, "proposeCorrection.correction", "registrar", (*world).revokedInRecord},
	"Mutation.approveCorrection": {`mutation($id: ID!) { approveCorrection(input: {id: $id}) { correction { state } userErrors { code } } }`, "approveCorrection.correction", "registrar", (*world).newCorrection},
	"Mutation.declineCorrection": {`mutation($id: ID!) { declineCorrection(input: {id: $id}) { correction { state } userErrors { code } } }`, "declineCorrection.correction", "registrar", (*world).newCorrection},
	"Mutation.startGraduation":   {`mutation($learner: ID!) { startGraduation(input: {learnerIds: [$learner]}) { job { state kind } userErrors { code } } }`, "startGraduation.job", "registrar", ids("learner", "learner")},
	"Query.recordTypes":          {`{ recordTypes { key content { title headings } } }`, "recordTypes.5.key", ownToo + " otherLearner", (*world).ownType},
	"Query.job":                  {`query($id: ID!) { job(id: $id) { state outcomes { nodes { outcome } } } }`, "job.state", catalogue, ids("id", "job")},
	"Query.jobs":                 {`{ jobs { nodes { id } } }`, "jobs.nodes.0.id", catalogue, nothing},
	"Query.auditLog":             {`{ auditLog { nodes { action } } }`, "auditLog.nodes.0.action", "administrator registrar", nothing},
	"Query.verifyCredential":     {`query($c: String!) { verifyCredential(credential: $c) { outcome } }`, "verifyCredential.outcome", everyone + " anonymous neighbour", ids("c", "document")},
	"Query.verifyCredentials":    {`query($c: String!) { verifyCredentials(files: [{content: $c, encoding: TEXT}, {name: "x", content: "x", encoding: TEXT}]) { outcome } }`, "verifyCredentials.0.outcome", everyone + " anonymous neighbour", ids("c", "document")},

	"Query.directoryNotices":                 {`{ directoryNotices { version categories } }`, "directoryNotices.0.categories", everyone, (*world).newNotice},
	"Query.disclosures":                      {`{ disclosures { nodes { learner { displayName } party consent { purpose } } } }`, "disclosures.nodes.0.learner.displayName", "administrator registrar learner", (*world).newDisclosure},
	"Mutation.recordDisclosure":              {`mutation($id: ID!) { recordDisclosure(input: {learnerId: $id, party: "Court", purpose: "Subpoena", basis: JUDICIAL_ORDER, items: ["record"]}) { disclosure { learner { displayName } } userErrors { code } } }`, "recordDisclosure.disclosure", "registrar", ids("id", "learner")},
	"Mutation.depositCredential":             {`mutation($id: ID!, $c: String!) { depositCredential(input: {learnerId: $id, credential: $c}) { depositedCredential { learner { displayName } issuerName checks { name } } userErrors { code } } }`, "depositCredential.depositedCredential", "registrar learner", (*world).newBrought},
	"Mutation.printRecord":                   {`mutation($id: ID!) { printRecord(input: {recordId: $id, recipient: "Acme", paper: A4}) { print { learner { displayName } record { version } state stateSince verifyPage file paper } userErrors { code } } }`, "printRecord.print", "registrar learner", nothingHeld("record")},
	"Mutation.withdrawPrint":                 {`mutation($id: ID!) { withdrawPrint(input: {id: $id, reason: "Lost."}) { print { state revokedFor } userErrors { code } } }`, "withdrawPrint.print", "registrar", (*world).newPrint},
	"Mutation.placeHold":                     {`mutation($id: ID!) { placeHold(input: {learnerId: $id, reason: OTHER, note: "x"}) { hold { learner { displayName } } userErrors { code } } }`, "placeHold.hold", "registrar", ids("id", "learner")},
	"Mutation.liftHold":                      {`mutation($id: ID!) { liftHold(input: {id: $id, reason: "paid"}) { hold { liftedAt } userErrors { code } } }`, "liftHold.hold", "registrar", (*world).newHold},
	"Mutation.createShare":                   {`mutation($id: ID!, $c: ID!) { createShare(input: {learnerId: $id, items: [{credentialId: $c}], recipient: "Acme", purpose: "A job"}) { share { learner { displayName } items { credential { id } } } link userErrors { code } } }`, "createShare.link", "learner", ids("id", "learner", "c", "credential")},
	"Mutation.endShare":                      {`mutation($id: ID!) { endShare(input: {id: $id}) { share { state } userErrors { code } } }`, "endShare.share", "learner", ids("id", "endedShare")},
	"Mutation.renewShare":                    {`mutation($id: ID!) { renewShare(input: {id: $id}) { share { state } link userErrors { code } } }`, "renewShare.link", "learner", ids("id", "share")},
	"Query.messages":                         {`{ messages { nodes { id state waitsForMail share { learner { displayName } } watch { place messages { id } } credential { id } } } }`, "messages.nodes.0.share.learner.displayName", "administrator registrar learner", (*world).newWatch},
	"Mutation.watchShare":                    {`mutation($id: ID!) { watchShare(input: {shareId: $id}) { watch { place channel messages { kind } } secret userErrors { code } } }`, "watchShare.watch", "learner", (*world).unwatched},
	"Mutation.endWatch":                      {`mutation($id: ID!) { endWatch(input: {id: $id}) { watch { endedAt } userErrors { code } } }`, "endWatch.watch", "registrar learner", (*world).newWatch},
	"Mutation.resendMessage":                 {`mutation($id: ID!) { resendMessage(input: {id: $id}) { message { state } userErrors { code } } }`, "resendMessage.message", "registrar", (*world).newFailure},
	"Query.holds":                            {`{ holds(filter: {state: OPEN, reason: OTHER}) { nodes { learner { displayName } } } }`, "holds.nodes.0.learner.displayName", "administrator registrar learner", (*world).newHold},
	"Query.orders":                           {`{ orders { nodes { learner { displayName } consent { purpose } } } }`, "orders.nodes.0.learner.displayName", "administrator registrar learner", (*world).newOrder},
	"Mutation.orderRecord":                   {`mutation($id: ID!) { orderRecord(input: {learnerId: $id, recipient: "Acme", purpose: "A job", wait: OTHER, method: SIGNATURE}) { order { state learner { displayName } } userErrors { code } } }`, "orderRecord.order", "registrar learner", ids("id", "learner")},
	"Mutation.cancelOrder":                   {`mutation($id: ID!) { cancelOrder(input: {id: $id}) { order { state } userErrors { code } } }`, "cancelOrder.order", "registrar learner", (*world).newOrder},
	"Mutation.meetOrderWait":                 {`mutation($id: ID!) { meetOrderWait(input: {id: $id}) { order { state } link userErrors { code } } }`, "meetOrderWait.order", "registrar", (*world).newOrder},
	"Mutation.giveConsent":                   {`mutation($id: ID!) { giveConsent(input: {grant: {learnerId: $id, scope: SEARCH, method: SIGNATURE}}) { consent { learner { displayName } } userErrors { code } } }`, "giveConsent.consent", "registrar learner", ids("id", "learner")},
	"Mutation.withdrawConsent":               {`mutation($id: ID!) { withdrawConsent(input: {id: $id}) { consent { withdrawnAt } userErrors { code } } }`, "withdrawConsent.consent", "registrar learner", (*world).newConsent},
	"Mutation.setDirectoryBlock":             {`mutation($id: ID!, $b: Boolean!) { setDirectoryBlock(input: {learnerId: $id, blocked: $b}) { learner { displayName } userErrors { code } } }`, "setDirectoryBlock.learner", "registrar learner", (*world).otherChoice},
	"Mutation.designateDirectoryInformation": {`mutation { designateDirectoryInformation(input: {categories: [NAME, DEGREES], where: "https://lakeview.example/notice"}) { directoryNotice { version } userErrors { code } } }`, "designateDirectoryInformation.directoryNotice", "administrator registrar", nothing},

	"Query.searchLearners": {`query($id: ID!) { searchLearners(where: {competency: $id}) { nodes { learnerName sentence } } }`, "searchLearners.nodes.0.learnerName", "registrar employer", (*world).newFindable},
	"Query.countLearners":  {`query($id: ID!) { countLearners(where: {competency: $id}) { atLeast } }`, "countLearners.atLeast", "registrar employer", (*world).tenFindable},

	"Query.knownIssuers":         {`{ knownIssuers { nodes { name } } }`, "knownIssuers.nodes.0.name", staffOnly, (*world).newIssuer},
	"Mutation.addKnownIssuer":    {`mutation($n: String!) { addKnownIssuer(input: {entry: {name: "X", issuer: $n}}) { knownIssuer { id } userErrors { code } } }`, "addKnownIssuer.knownIssuer", "administrator registrar", (*world).newName},
	"Mutation.reviseKnownIssuer": {`mutation($id: ID!, $n: String!) { reviseKnownIssuer(input: {id: $id, entry: {name: "Y", issuer: $n}}) { knownIssuer { id } userErrors { code } } }`, "reviseKnownIssuer.knownIssuer", "administrator registrar", (*world).newIssuer},
	"Mutation.removeKnownIssuer": {`mutation($id: ID!) { removeKnownIssuer(input: {id: $id}) { knownIssuer { id } userErrors { code } } }`, "removeKnownIssuer.knownIssuer", "administrator registrar", (*world).newIssuer},

	"Mutation.reviseInstitution":  {`mutation { reviseInstitution(input: {phone: "+1 555 0199"}) { institution { phone } userErrors { code } } }`, "reviseInstitution.institution", "administrator", (*world).newPhone},
	"Mutation.addStaff":           {`mutation($n: String!) { addStaff(input: {email: $n, name: "New", roles: [ASSESSOR]}) { staff { id } userErrors { code } } }`, "addStaff.staff", "administrator", (*world).address},
	"Mutation.reviseStaff":        {`mutation($id: ID!) { reviseStaff(input: {id: $id, email: "other@x.example", name: "Other", roles: [READER]}) { staff { id } userErrors { code } } }`, "reviseStaff.staff", "administrator", (*world).newStaff},
	"Mutation.deactivateStaff":    {`mutation($id: ID!) { deactivateStaff(input: {id: $id}) { staff { id } userErrors { code } } }`, "deactivateStaff.staff", "administrator", (*world).newStaff},
	"Mutation.createApiClient":    {`mutation { createApiClient(input: {name: "x", roles: [READER]}) { apiClient { id } token userErrors { code } } }`, "createApiClient.token", "administrator", nothing},
	"Mutation.revokeApiClient":    {`mutation($id: ID!) { revokeApiClient(input: {id: $id}) { apiClient { id } userErrors { code } } }`, "revokeApiClient.apiClient", "administrator", (*world).newClient},
	"Mutation.rotateSigningKey":   {`mutation { rotateSigningKey(input: {}) { signingKey { id } userErrors { code } } }`, "rotateSigningKey.signingKey", "administrator", nothing},
	"Mutation.withdrawSigningKey": {`mutation($id: ID!) { withdrawSigningKey(input: {id: $id}) { signingKey { id } userErrors { code } } }`, "withdrawSigningKey.signingKey", "administrator", (*world).newKey},

	"Mutation.defineLearner":           {`mutation { defineLearner(input: {displayName: "New"}) { learner { id } userErrors { code } } }`, "defineLearner.learner", "registrar", nothing},
	"Mutation.reviseLearner":           {`mutation($id: ID!) { reviseLearner(input: {id: $id, email: "new@x.example"}) { learner { id } userErrors { code } } }`, "reviseLearner.learner", "registrar", (*world).newLearner},
	"Mutation.renameLearner":           {`mutation($id: ID!) { renameLearner(input: {id: $id, displayName: "New", reason: "marriage"}) { learner { id } userErrors { code } } }`, "renameLearner.learner", "registrar", (*world).newLearner},
	"Mutation.addLearnerIdentifier":    {`mutation($id: ID!, $n: String!) { addLearnerIdentifier(input: {id: $id, identifier: {type: "systemId", value: $n}}) { learner { id } userErrors { code } } }`, "addLearnerIdentifier.learner", "registrar", (*world).newLearner},
	"Mutation.removeLearnerIdentifier": {`mutation($id: ID!, $n: String!) { removeLearnerIdentifier(input: {id: $id, identifier: {type: "userName", value: $n}}) { learner { id } userErrors { code } } }`, "removeLearnerIdentifier.learner", "registrar", (*world).newLearner},

	"Mutation.defineCourse":    {`mutation($n: String!) { defineCourse(input: {code: $n, title: "New"}) { course { id } userErrors { code } } }`, "defineCourse.course", catalogue, (*world).address},
	"Mutation.reviseCourse":    {`mutation($id: ID!) { reviseCourse(input: {id: $id, title: "New"}) { course { id } userErrors { code } } }`, "reviseCourse.course", catalogue, (*world).newCourse},
	"Mutation.retireCourse":    {`mutation($id: ID!) { retireCourse(input: {id: $id}) { course { id } userErrors { code } } }`, "retireCourse.course", catalogue, (*world).newCourse},
	"Mutation.mapCompetency":   {`mutation($id: ID!, $item: ID!) { mapCompetency(input: {courseId: $id, competencyId: $item, stage: ASSESSED}) { mapping { stage } userErrors { code } } }`, "mapCompetency.mapping", catalogue, (*world).newCourse},
	"Mutation.unmapCompetency": {`mutation($id: ID!, $item: ID!) { unmapCompetency(input: {courseId: $id, competencyId: $item, stage: INTRODUCED}) { course { id } userErrors { code } } }`, "unmapCompetency.course", catalogue, (*world).newCourse},

	"Mutation.createFramework":        {`mutation { createFramework(input: {framework: {title: "New", creator: "X"}}) { framework { id } userErrors { code } } }`, "createFramework.framework", catalogue, nothing},
	"Mutation.reviseFramework":        {`mutation($id: ID!, $n: String!) { reviseFramework(input: {id: $id, framework: {title: $n, creator: "X"}}) { framework { id } userErrors { code } } }`, "reviseFramework.framework", catalogue, (*world).newFramework},
	"Mutation.publishFramework":       {`mutation($id: ID!) { publishFramework(input: {id: $id, publication: PUBLIC}) { framework { id } userErrors { code } } }`, "publishFramework.framework", catalogue, (*world).newFramework},
	"Mutation.addCompetency":          {`mutation($id: ID!) { addCompetency(input: {frameworkId: $id, competency: {fullStatement: "New"}}) { competency { id } userErrors { code } } }`, "addCompetency.competency", catalogue, (*world).newFramework},
	"Mutation.reviseCompetency":       {`mutation($id: ID!) { reviseCompetency(input: {id: $id, competency: {fullStatement: "New"}}) { competency { id } userErrors { code } } }`, "reviseCompetency.competency", catalogue, (*world).twoItems},
	"Mutation.moveCompetency":         {`mutation($a: ID!, $id: ID!) { moveCompetency(input: {id: $a, parentId: $id}) { competency { id } userErrors { code } } }`, "moveCompetency.competency", catalogue, (*world).twoItems},
	"Mutation.orderCompetencies":      {`mutation($id: ID!, $a: ID!, $b: ID!) { orderCompetencies(input: {frameworkId: $id, order: [$b, $a]}) { framework { id } userErrors { code } } }`, "orderCompetencies.framework", catalogue, (*world).newFramework},
	"Mutation.retireCompetency":       {`mutation($id: ID!) { retireCompetency(input: {id: $id}) { competency { retiredAt } userErrors { code } } }`, "retireCompetency.competency", catalogue, (*world).twoItems},
	"Mutation.replaceCompetency":      {`mutation($id: ID!, $a: ID!) { replaceCompetency(input: {id: $a, replacedBy: [$id]}) { competency { retiredAt } userErrors { code } } }`, "replaceCompetency.competency", catalogue, (*world).twoItems},
	"Mutation.associateCompetencies":  {`mutation($id: ID!, $a: ID!) { associateCompetencies(input: {id: $id, type: "precedes", otherId: $a}) { competency { id } userErrors { code } } }`, "associateCompetencies.competency", catalogue, (*world).twoItems},
	"Mutation.dissociateCompetencies": {`mutation($id: ID!) { dissociateCompetencies(input: {id: $id}) { framework { id } userErrors { code } } }`, "dissociateCompetencies.framework", catalogue, (*world).newAssociation},
	"Mutation.applyFrameworkUpdate":   {`mutation($id: ID!) { applyFrameworkUpdate(input: {uploadId: $id}) { framework { id } comparison { addedCount } userErrors { code } } }`, "applyFrameworkUpdate.framework", catalogue, (*world).newPackage},
	"Mutation.proposeCrosswalk":       {`mutation($id: ID!, $item: ID!) { proposeCrosswalk(input: {originId: $id, destinationId: $item, type: "exactMatchOf"}) { crosswalk { id } userErrors { code } } }`, "proposeCrosswalk.crosswalk", catalogue, (*world).unwalked},
	"Mutation.approveCrosswalk":       {`mutation($id: ID!) { approveCrosswalk(input: {id: $id, approver: "Committee"}) { crosswalk { id } userErrors { code } } }`, "approveCrosswalk.crosswalk", catalogue, (*world).newCrosswalk},
	"Mutation.withdrawCrosswalk":      {`mutation($id: ID!) { withdrawCrosswalk(input: {id: $id, reason: "wrong"}) { crosswalk { id } userErrors { code } } }`, "withdrawCrosswalk.crosswalk", catalogue, (*world).newCrosswalk},

	"Mutation.defineAchievement":        {`mutation { defineAchievement(input: {definition: {name: "New", description: "d", criteria: {narrative: "n"}}}) { achievement { id } userErrors { code } } }`, "defineAchievement.achievement", catalogue, nothing},
	"Mutation.reviseAchievement":        {`mutation($id: ID!) { reviseAchievement(input: {id: $id, definition: {name: "New", description: "d", criteria: {narrative: "n"}}}) { achievement { id } userErrors { code } } }`, "reviseAchievement.achievement", catalogue, (*world).newAchievement},
	"Mutation.alignAchievement":         {`mutation($id: ID!, $item: ID!) { alignAchievement(input: {id: $id, competencyId: $item}) { achievement { id } userErrors { code } } }`, "alignAchievement.achievement", catalogue, (*world).newAchievement},
	"Mutation.alignAchievementToCourse": {`mutation($id: ID!, $course: ID!) { alignAchievementToCourse(input: {id: $id, courseId: $course}) { achievement { id } userErrors { code } } }`, "alignAchievementToCourse.achievement", catalogue, (*world).newAchievement},
	"Mutation.unalignAchievement":       {`mutation($id: ID!) { unalignAchievement(input: {id: $id, targetUrl: "https://x.example/target"}) { achievement { id } userErrors { code } } }`, "unalignAchievement.achievement", catalogue, (*world).newAchievement},
	"Mutation.retireAchievement":        {`mutation($id: ID!) { retireAchievement(input: {id: $id}) { achievement { id } userErrors { code } } }`, "retireAchievement.achievement", catalogue, (*world).newAchievement},

	"Mutation.defineMasteryRule": {`mutation($id: ID!) { defineMasteryRule(input: {competencyId: $id, name: "New", definition: {method: LATEST, level: "Proficient"}}) { masteryRule { id } userErrors { code } } }`, "defineMasteryRule.masteryRule", catalogue, (*world).freeItem},
	"Mutation.reviseMasteryRule": {`mutation($id: ID!) { reviseMasteryRule(input: {id: $id, name: "Newer", definition: {months: 12}}) { masteryRule { id } userErrors { code } } }`, "reviseMasteryRule.masteryRule", catalogue, (*world).newRule},
	"Mutation.retireMasteryRule": {`mutation($id: ID!) { retireMasteryRule(input: {id: $id}) { masteryRule { id } userErrors { code } } }`, "retireMasteryRule.masteryRule", catalogue, (*world).newRule},

	"Mutation.defineProgram": {`mutation($id: ID!, $code: String!) { defineProgram(input: {code: $code, definition: {title: "New", requirement: {kind: COURSE, courseId: $id}}}) { program { id } userErrors { code } } }`, "defineProgram.program", catalogue, (*world).newProgramCode},
	"Mutation.reviseProgram": {`mutation($id: ID!, $course: ID!) { reviseProgram(input: {id: $id, definition: {title: "Newer", requirement: {kind: ALL, parts: [{kind: COURSE, courseId: $course}]}}}) { program { id } userErrors { code } } }`, "reviseProgram.program", catalogue, (*world).newProgram},
	"Mutation.retireProgram": {`mutation($id: ID!) { retireProgram(input: {id: $id}) { program { id } userErrors { code } } }`, "retireProgram.program", catalogue, (*world).newProgram},
	"Mutation.enrollLearner": {`mutation($id: ID!, $learner: ID!) { enrollLearner(input: {learnerId: $learner, programId: $id}) { learner { id } userErrors { code } } }`, "enrollLearner.learner", "registrar", (*world).newProgram},

	"Query.equivalencies":           {`{ equivalencies { nodes { reason given { course { code } } instead { course { code } } } } }`, "equivalencies.nodes.0.reason", ownToo + " otherLearner", (*world).newEquivalency},
	"Mutation.approveEquivalency":   {`mutation($id: ID!, $course: ID!) { approveEquivalency(input: {ground: SUBSTITUTION, given: {courseId: $id}, instead: {courseId: $course}, reason: "same"}) { equivalency { id } userErrors { code } } }`, "approveEquivalency.equivalency", catalogue, (*world).twoCourses},
	"Mutation.withdrawEquivalency":  {`mutation($id: ID!) { withdrawEquivalency(input: {id: $id}) { equivalency { withdrawnAt } userErrors { code } } }`, "withdrawEquivalency.equivalency", catalogue, (*world).newEquivalency},
	"Query.awardProposals":          {`{ awardProposals { nodes { reason learner { displayName } } } }`, "awardProposals.nodes.0.learner.displayName", staffOnly, (*world).oneProposal},
	"Mutation.acceptAwardProposal":  {`mutation($id: ID!) { acceptAwardProposal(input: {id: $id}) { awardProposal { assertion { id } } userErrors { code } } }`, "acceptAwardProposal.awardProposal", "registrar assessor", (*world).newProposal},
	"Mutation.declineAwardProposal": {`mutation($id: ID!) { declineAwardProposal(input: {id: $id, reason: "not yet"}) { awardProposal { state } userErrors { code } } }`, "declineAwardProposal.awardProposal", "registrar assessor", (*world).newProposal},

	"Mutation.awardAchievement":    {`mutation($learner: ID!, $id: ID!) { awardAchievement(input: {award: {learnerId: $learner, achievementId: $id, facts: {achievedOn: "2026-05-01"}}}) { assertion { id } userErrors { code } } }`, "awardAchievement.assertion", "registrar assessor", (*world).newAchievement},
	"Mutation.awardAchievements":   {`mutation($learner: ID!, $id: ID!) { awardAchievements(input: {awards: [{learnerId: $learner, achievementId: $id, facts: {achievedOn: "2026-05-01"}}]}) { results { assertion { id } userErrors { code } } userErrors { code } } }`, "awardAchievements.results.0.assertion", "registrar assessor", (*world).newAchievement},
	"Mutation.correctAssertion":    {`mutation($id: ID!) { correctAssertion(input: {id: $id, reason: "wrong day", facts: {achievedOn: "2026-05-02"}}) { assertion { id } userErrors { code } } }`, "correctAssertion.assertion", "registrar assessor", (*world).newAssertion},
	"Mutation.withdrawAssertion":   {`mutation($id: ID!) { withdrawAssertion(input: {id: $id, reason: "copied"}) { assertion { id } userErrors { code } } }`, "withdrawAssertion.assertion", "registrar", (*world).newAssertion},
	"Mutation.issueCredential":     {`mutation($id: ID!) { issueCredential(input: {assertionId: $id}) { credential { document } userErrors { code } } }`, "issueCredential.credential", "registrar", (*world).newAssertion},
	"Mutation.issueCredentials":    {`mutation($id: ID!) { issueCredentials(input: {assertionIds: [$id]}) { results { credential { document } userErrors { code } } userErrors { code } } }`, "issueCredentials.results.0.credential", "registrar", (*world).newAssertion},
	"Mutation.reissueCredential":   {`mutation($id: ID!) { reissueCredential(input: {id: $id, reason: "again"}) { credential { id } userErrors { code } } }`, "reissueCredential.credential", "registrar", (*world).newCredential},
	"Mutation.revokeCredential":    {`mutation($id: ID!) { revokeCredential(input: {id: $id, cause: ISSUED_IN_ERROR, reason: "wrong"}) { credential { id } userErrors { code } } }`, "revokeCredential.credential", "registrar", (*world).newCredential},
	"Mutation.revokeCredentials":   {`mutation($id: ID!) { revokeCredentials(input: {ids: [$id], cause: OTHER, reason: "wrong"}) { results { credential { id } userErrors { code } } userErrors { code } } }`, "revokeCredentials.results.0.credential", "registrar", (*world).newCredential},
	"Mutation.suspendCredential":   {`mutation($id: ID!) { suspendCredential(input: {id: $id, reason: "hold"}) { credential { id } userErrors { code } } }`, "suspendCredential.credential", "registrar", (*world).newCredential},
	"Mutation.liftSuspension":      {`mutation($id: ID!) { liftSuspension(input: {id: $id, reason: "paid"}) { credential { id } userErrors { code } } }`, "liftSuspension.credential", "registrar", (*world).newSuspended},
	"Mutation.setIssuingPolicy":    {`mutation { setIssuingPolicy(input: {issueOnAward: true}) { issuingPolicy { issueOnAward } userErrors { code } } }`, "setIssuingPolicy.issuingPolicy", "administrator", (*world).oldPolicy},
	"Query.gradingPolicy":          {`{ gradingPolicy { content { name } } }`, "gradingPolicy.content.name", everyone, (*world).ownGrading},
	"Mutation.reviseGradingPolicy": {`mutation($n: String!) { reviseGradingPolicy(input: {content: {name: $n, grades: [{mark: "P", earns: true}]}}) { gradingPolicy { version } userErrors { code } } }`, "reviseGradingPolicy.gradingPolicy", "registrar", (*world).newName},
	"Mutation.reviseRecordType":    {`mutation($n: String!) { reviseRecordType(input: {key: "mine", content: {title: $n}}) { recordType { version } userErrors { code } } }`, "reviseRecordType.recordType", "registrar", (*world).newName},
	"Mutation.assembleRecord":      {`mutation($learner: ID!) { assembleRecord(input: {learnerId: $learner}) { record { id } userErrors { code } } }`, "assembleRecord.record", "registrar", (*world).newAssertion},
	"Mutation.startImport":         {`mutation($id: ID!) { startImport(input: {kind: COURSES, uploadId: $id}) { job { id } userErrors { code } } }`, "startImport.job", catalogue, (*world).newUpload},
	"Mutation.changeCredentials":   {`mutation($c: ID!) { changeCredentials(input: {kind: SUSPEND_CREDENTIALS, ids: [$c], reason: "x"}) { job { id } userErrors { code } } }`, "changeCredentials.job", "registrar", ids("c", "credential")},
	"Mutation.cancelJob":           {`mutation($id: ID!) { cancelJob(input: {id: $id}) { job { id } userErrors { code } } }`, "cancelJob.job", catalogue, (*world).newJob},

	"Subscription.jobProgress": {`subscription($id: ID!) { jobProgress(id: $id) { state } }`, "jobProgress.state", catalogue, ids("id", "job")},
}

func roots(t testing.TB) map[string]*ast.FieldDefinition {
	t.Helper()
	s := gen.NewExecutableSchema(gen.Config{}).Schema()
	all := map[string]*ast.FieldDefinition{}
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		for _, f := range root.Fields {
			if !strings.HasPrefix(f.Name, "__") {
				all[root.Name+"."+f.Name] = f
			}
		}
	}
	return all
}

func TestEveryFieldOfARootIsWalked(t *testing.T) {
	all := roots(t)
	for name := range all {
		if _, ok := steps[name]; !ok {
			t.Errorf("%s is not walked: add it to the steps, with who may", name)
		}
	}
	for name := range steps {
		if all[name] == nil {
			t.Errorf("%s is walked and does not exist", name)
		}
	}
}

// callers are everyone who tries each step, in a world.
func (w *world) callers() map[string]access.Actor {
	all := map[string]access.Actor{"anonymous": access.Anonymous(), "visitor": access.VisitorOf(string(w.Home.ID))}
	for _, r := range access.Grantable() {
		all[string(r)] = w.As(r)
	}
	all["employer"] = w.As(access.Employer, access.Reader) // as a client is that may search
	own := w.As(access.Learner)
	own.LearnerID = w.ids["learner"]
	other := w.As(access.Learner)
	other.ID, other.LearnerID = "cli_other", w.ids["other"]
	neighbour := w.As(access.Grantable()...)
	neighbour.ID, neighbour.InstitutionID, neighbour.LearnerID = "cli_neighbour", string(w.Neighbour.ID), w.ids["learner"]
	all["learner"], all["otherLearner"], all["neighbour"] = own, other, neighbour
	return all
}

// TestWhoMay walks every field of the API as everyone.
func TestWhoMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pgtest.New(t))
	w.walk(t, func(who access.Actor) access.Actor { return who })
}

// TestRowSecurityAloneKeepsEveryoneApart gives the application's checks an
// actor who may do everything, while the database has the real one in force.
func TestRowSecurityAloneKeepsEveryoneApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pgtest.New(t))
	w.rowsAlone = true
	w.walk(t, func(who access.Actor) access.Actor {
		almighty := access.Actor{ID: "cli_almighty", InstitutionID: string(w.Home.ID), Roles: []access.Role{access.System}}
		w.DB.As = func(asked access.Actor) access.Actor {
			if asked.ID == almighty.ID {
				return who
			}
			return asked
		}
		return almighty
	})
}

// TestTheChecksAloneKeepEveryoneApart has the owner of the database behind the
// application, whom row security does not bind.
func TestTheChecksAloneKeepEveryoneApart(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	w := newWorld(t, pgtest.Open(t, url, pg.Options{}))
	unguarded := testbed.Over(t, pgtest.Open(t, url, pg.Options{Unguarded: true}))
	unguarded.Keys.Master = w.Keys.Master
	unguarded.Home, unguarded.Neighbour = w.Home, w.Neighbour
	w.api = over(t, unguarded)
	w.walk(t, func(who access.Actor) access.Actor { return who })
}

func (w *world) walk(t *testing.T, as func(access.Actor) access.Actor) {
	callers := w.callers()
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		s := steps[name]
		for _, caller := range slices.Sorted(maps.Keys(callers)) {
			w.DB.As = nil
			v := s.made(w)
			before := w.lines(t)
			w.api.who = as(callers[caller])
			a := w.send(t, s.query, v)
			w.DB.As = nil
			w.judge(t, name, caller, s, a, w.lines(t)-before)
		}
	}
}

// judge compares what happened with who may. A caller without the right sees
// nothing, changes nothing and reads nobody's name; what the neighbour does
// without naming a thing of ours, they do at home.
func (w *world) judge(t *testing.T, field, caller string, s step, a answer, lines int64) {
	t.Helper()
	name, may := field+" as "+caller, slices.Contains(strings.Fields(s.by), caller)
	var path []any
	for part := range strings.SplitSeq(s.got, ".") {
		if n, err := strconv.Atoi(part); err == nil {
			path = append(path, n)
			continue
		}
		path = append(path, part)
	}
	got := a.at(path...)
	mutation := strings.HasPrefix(s.query, "mutation")
	switch {
	case may && got == nil:
		t.Errorf("%s is refused: %.300s", name, a.Raw)
	case may && mutation && lines == 0:
		t.Errorf("%s leaves no line in the audit: %.300s", name, a.Raw)
	case may:
	case got != nil && (w.rowsAlone || caller != "neighbour" || strings.Contains(s.query, "$id")):
		t.Errorf("%s is let through: %.300s", name, a.Raw)
	case lines != 0:
		t.Errorf("%s changes something: %.300s", name, a.Raw)
	case strings.Contains(a.Raw, secret):
		t.Errorf("%s tells a name: %.300s", name, a.Raw)
	case strings.Contains(a.Raw, `"INTERNAL"`):
		t.Errorf("%s breaks: %.300s\n%s", name, a.Raw, w.api.log.String())
	case mutation && got == nil && !strings.Contains(a.Raw, `"code":"`):
		t.Errorf("%s says nothing: %.300s", name, a.Raw)
	}
}

// lines is how many lines the account of the walked institution has.
func (w *world) lines(t testing.TB) int64 {
	t.Helper()
	first := 1
	c, err := w.Audit.List(t.Context(), w.Bed.As(access.Administrator), audit.Filter{}, page.Args{First: &first})
	if err != nil || len(c.Nodes) == 0 {
		t.Fatal(len(c.Nodes), err)
	}
	return c.Nodes[0].Sequence
}

// send asks with named variables; a subscription's answer is its first event.
func (w *world) send(t testing.TB, query string, v map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": v})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/graphql", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	if !strings.HasPrefix(query, "subscription") {
		return w.api.send(t, r)
	}
	r.Header.Set("Accept", "text/event-stream")
	rec := httptest.NewRecorder()
	w.api.handler.ServeHTTP(rec, r)
	a := answer{Status: rec.Code, Raw: rec.Body.String()}
	lines := bufio.NewScanner(rec.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(data), &a); err != nil {
				t.Fatal(err)
			}
			return a
		}
	}
	t.Fatalf("no event in %s", a.Raw)
	return a
}

// TestNoPathLeadsToSomebodyElse follows every relation from everything that a
// caller can begin with, and looks for a name that is not theirs to see.
func TestNoPathLeadsToSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pgtest.New(t))
	s := gen.NewExecutableSchema(gen.Config{}).Schema()
	asked := 0
	for caller, who := range w.callers() {
		if slices.Contains(strings.Fields(ownToo), caller) {
			continue
		}
		w.api.who = who
		for name, f := range roots(t) {
			if !strings.HasPrefix(name, "Query.") || strings.HasPrefix(f.Name, "verifyCredential") || f.Name == "node" || f.Name == "nodes" {
				continue
			}
			for _, query := range everything(s, f) {
				v := map[string]any{}
				if strings.Contains(query, "$id") {
					v["id"] = w.ids[f.Name]
				}
				a := w.send(t, query, v)
				asked++
				if a.Status != 200 {
					t.Fatalf("%s\n%s", query, a.Raw)
				}
				if i := strings.Index(a.Raw, secret); i >= 0 {
					t.Errorf("%s reads a name:\n%s\n%s", caller, query, a.Raw[max(0, i-200):min(len(a.Raw), i+100)])
				}
				if strings.Contains(a.Raw, `"INTERNAL"`) {
					t.Errorf("%s as %s breaks: %.300s", query, caller, a.Raw)
				}
			}
		}
	}
	if asked < 200 {
		t.Errorf("only %d paths were followed", asked)
	}
}

// everything are queries that together follow each relation of a root's type,
// three relations deep.
func everything(s *ast.Schema, f *ast.FieldDefinition) []string {
	head, arg := "", ""
	if f.Arguments.ForName("id") != nil {
		head, arg = "query($id: ID!) ", "(id: $id)"
	}
	var all []string
	for _, part := range selections(s, f.Type.Name(), 4) {
		all = append(all, fmt.Sprintf("%s{ %s%s { %s } }", head, f.Name, arg, part))
	}
	return all
}

// selections are one selection for each field of a type that leads on, and one
// with all the others.
func selections(s *ast.Schema, typ string, depth int) []string {
	var plain, all []string
	for _, f := range s.Types[typ].Fields {
		to := s.Types[f.Type.Name()]
		switch {
		case to.Kind != ast.Object:
			plain = append(plain, f.Name)
		case depth > 0 && f.Name != "edges":
			page := ""
			if f.Arguments.ForName("first") != nil {
				page = "(first: 2)"
			}
			inner := selections(s, to.Name, depth-1)
			if depth > 2 {
				for _, part := range inner {
					all = append(all, fmt.Sprintf("%s%s { %s }", f.Name, page, part))
				}
				continue
			}
			all = append(all, fmt.Sprintf("%s%s { %s }", f.Name, page, strings.Join(inner, " ")))
		}
	}
	if len(plain) > 0 {
		all = append(all, strings.Join(plain, " "))
	}
	return all
}
