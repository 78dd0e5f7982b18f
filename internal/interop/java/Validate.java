// Validate has veraPDF say by which clauses files are not what they claim to be:
// PDF/A-3a (ISO 19005-3) and PDF/UA-1 (ISO 14289-1). It writes a line for each
// verdict, with the number of rules that were asked, and one for each rule that is
// broken; columns are parted by tabs.
//
// The profiles are read here: veraPDF's own reading needs a library that Java has
// not had since 11.

import java.io.File;
import java.io.InputStream;
import java.util.*;
import java.util.logging.*;
import javax.xml.parsers.DocumentBuilderFactory;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.*;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.*;
import org.verapdf.pdfa.validation.profiles.*;
import org.w3c.dom.*;

public class Validate {
	static final Map<String, PDFAFlavour> PROFILES = new TreeMap<>(Map.of("PDFA-3A", PDFAFlavour.PDFA_3_A, "PDFUA-1", PDFAFlavour.PDFUA_1));

	public static void main(String[] files) throws Exception {
		LogManager.getLogManager().reset();
		VeraGreenfieldFoundryProvider.initialise();
		for (Map.Entry<String, PDFAFlavour> e : PROFILES.entrySet()) {
			ValidationProfile profile = profile(e.getKey(), e.getValue());
			for (String file : files)
				check(file, e.getKey(), e.getValue(), profile);
		}
	}

	static void check(String file, String name, PDFAFlavour flavour, ValidationProfile profile) throws Exception {
		VeraPDFFoundry foundry = Foundries.defaultInstance();
		try (PDFAParser parser = foundry.createParser(new File(file), flavour); PDFAValidator validator = foundry.createValidator(profile, 100, false, false, false)) {
			ValidationResult r = validator.validate(parser);
			say(file, name, r.isCompliant() ? "keeps" : "breaks", Integer.toString(r.getTotalAssertions()), "", "");
			for (TestAssertion a : r.getTestAssertions())
				if (a.getStatus() == TestAssertion.Status.FAILED)
					say(file, name, "rule", a.getRuleId().getClause() + "-" + a.getRuleId().getTestNumber(), a.getMessage(), a.getLocation().getContext());
		}
	}

	static void say(String... columns) {
		System.out.println(String.join("\t", columns).replaceAll("[\\r\\n]+", " "));
	}

	static ValidationProfile profile(String name, PDFAFlavour flavour) throws Exception {
		Document d;
		try (InputStream in = Validate.class.getClassLoader().getResourceAsStream("org/verapdf/pdfa/validation/" + name + ".xml")) {
			d = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(in);
		}
		Set<Rule> rules = new LinkedHashSet<>();
		for (Element r : all(d.getDocumentElement(), "rule")) {
			Element id = all(r, "id").get(0);
			rules.add(Profiles.ruleFromValues(Profiles.ruleIdFromValues(flavour.getPart(), id.getAttribute("clause"), Integer.parseInt(id.getAttribute("testNumber"))),
				r.getAttribute("object"), r.getAttribute("deferred").equals("true"), r.getAttribute("tags"), text(r, "description"), text(r, "test"),
				Profiles.errorFromValues(text(r, "message"), List.of()), List.of()));
		}
		Set<Variable> variables = new LinkedHashSet<>();
		for (Element v : all(d.getDocumentElement(), "variable"))
			variables.add(Profiles.variableFromValues(v.getAttribute("name"), v.getAttribute("object"), text(v, "defaultValue"), text(v, "value")));
		if (rules.size() < 90)
			throw new IllegalStateException(name + " has only " + rules.size() + " rules");
		return Profiles.profileFromValues(flavour, Profiles.profileDetailsFromValues(name, "", "", new Date(0)), "", rules, variables);
	}

	static List<Element> all(Element in, String name) {
		List<Element> out = new ArrayList<>();
		NodeList found = in.getElementsByTagName(name);
		for (int i = 0; i < found.getLength(); i++)
			out.add((Element) found.item(i));
		return out;
	}

	static String text(Element in, String name) {
		List<Element> found = all(in, name);
		return found.isEmpty() ? "" : found.get(0).getTextContent().trim();
	}
}
