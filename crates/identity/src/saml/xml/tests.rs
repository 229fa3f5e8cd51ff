//! The canonical form beside the recommendations' own examples, and what the reader does with comments and hostile bytes.

use super::*;

const LIMITS: Limits = Limits {
    bytes_max: 64 << 10,
    depth_max: 24,
    elements_max: 1_000,
    attributes_max: 32,
    comments: false,
};

fn read(text: &str) -> Result<Element, SamlRefused> {
    parse(text.as_bytes(), &Scope::default(), &LIMITS)
}

fn form(text: &str) -> String {
    canonical(&read(text).unwrap(), &[], None)
}

#[test]
fn a_canonical_form_is_that_of_the_recommendations() {
    // Exclusive XML Canonicalization 1.0, section 2.2: the same element in two contexts.
    let inner = "<n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\"><n3:stuff xmlns:n3=\"ftp://example.org\"></n3:stuff></n1:elem2>";
    for outer in [
        "<n0:pdu xmlns:n0=\"http://a.example\">",
        "<n2:pdu xmlns:n1=\"http://example.com\" xmlns:n2=\"http://foo.example\" xml:lang=\"fr\" xml:space=\"retain\">",
    ] {
        let close = outer
            .replace('<', "</")
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
            + ">";
        let root = read(&format!("{outer}{inner}{close}")).unwrap();
        let mut children = root.children().unwrap();
        assert_eq!(canonical(children.any().unwrap(), &[], None), inner);
    }
    // Canonical XML 1.0, section 3.3 and 3.4, without what a DTD would add.
    for (written, expected) in [
        ("<e2   ></e2>", "<e2></e2>"),
        (
            "<e3   name = \"elem3\"   id=\"elem3\"   />",
            "<e3 id=\"elem3\" name=\"elem3\"></e3>",
        ),
        (
            "<e5 a:attr=\"out\" b:attr=\"sorted\" attr2=\"all\" attr=\"I'm\" xmlns:b=\"http://www.ietf.org\" \
             xmlns:a=\"http://www.w3.org\" xmlns=\"http://example.org\"/>",
            "<e5 xmlns=\"http://example.org\" xmlns:a=\"http://www.w3.org\" xmlns:b=\"http://www.ietf.org\" attr=\"I'm\" \
             attr2=\"all\" b:attr=\"sorted\" a:attr=\"out\"></e5>",
        ),
        (
            "<text>First line&#x0d;&#10;Second line</text>",
            "<text>First line&#xD;\nSecond line</text>",
        ),
        (
            "<compute expr='value>\"0\" &amp;&amp; value&lt;\"10\" ?\"valid\":\"error\"'>valid</compute>",
            "<compute expr=\"value>&quot;0&quot; &amp;&amp; value&lt;&quot;10&quot; ?&quot;valid&quot;:&quot;error&quot;\">valid</compute>",
        ),
        (
            "<norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/>",
            "<norm attr=\" '    &#xD;&#xA;&#x9;   ' \"></norm>",
        ),
    ] {
        assert_eq!(form(written), expected);
    }
}

#[test]
fn what_is_left_out_is_the_one_child_and_not_another_like_it() {
    let root = read("<a><b/><b/></a>").unwrap();
    let mut children = root.children().unwrap();
    let (first, second) = (children.any().unwrap(), children.any().unwrap());
    assert!(!std::ptr::eq(first, second));
    assert_eq!(canonical(&root, &[], Some(second)), "<a><b></b></a>");
    assert_eq!(canonical(&root, &[], None), "<a><b></b><b></b></a>");
}

#[test]
fn an_operators_file_may_have_comments_between_elements() {
    let lenient = Limits {
        comments: true,
        ..LIMITS
    };
    let read = |text: &str| parse(text.as_bytes(), &Scope::default(), &lenient);
    let root = read("<!-- a --><a><!-- b --> <b>x</b><!----></a><!-- c -->").unwrap();
    assert_eq!(canonical(&root, &[], None), "<a> <b>x</b></a>");
    for bad in [
        "<a>x<!-- b --></a>",
        "<a><!-- b -->x</a>",
        "<a>x<!-- b -->y</a>",
        "<a><!-- -- --></a>",
        "<a><!-- b",
        "<a><!--- --></a><",
        "<a><!-->x</a>",
        "<a><!-- b ---></a>",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

/// Everything that a reader could learn from an element: expanded names, values, texts.
fn meaning(element: &Element) -> String {
    let mut attributes: Vec<_> = element.attributes().collect();
    attributes.sort_unstable();
    let children: Vec<String> = element
        .children
        .iter()
        .map(|node| match node {
            Node::Element(e) => meaning(e),
            Node::Text(text) => format!("{text:?}"),
        })
        .collect();
    let name = (element.namespace(), element.local());
    format!("({name:?} {attributes:?} {children:?})")
}

/// What the canonical form of a document says is what the document says: it reads back as itself.
#[test]
fn fuzz_saml_xml() {
    let seeds = [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p:a xmlns:p=\"urn:p\" ID=\"x\"> <p:b xmlns=\"urn:d\">t&amp;&#13;</p:b>\n<c/></p:a>",
        "<a xmlns=\"urn:a\" xmlns:b=\"urn:b\" b:z='1' z=\"&#9;\"><c xmlns=\"\"/><b:d xmlns:b=\"urn:e\">\u{e9}]]&gt;</b:d></a>",
    ];
    let words = [
        "xmlns=\"\"",
        "xmlns:b=\"urn:x\"",
        "&lt;",
        "&#xD;",
        "<!---->",
        "<![CDATA[x]]>",
        "<?x?>",
        "<!DOCTYPE a>",
        "/>",
        "</a>",
        "<b:a>",
        "xml:id=\"x\"",
        "'",
        "\"",
        "\r\n",
        "\0",
    ];
    let mut fuzz = brattice_fuzz::Fuzz::new("saml_xml", env!("CARGO_MANIFEST_DIR"))
        .words(&words)
        .smoke(5_000);
    for seed in seeds {
        fuzz = fuzz.seed(seed);
    }
    fuzz.run(|input, _| {
        let root = match parse(input, &Scope::default(), &LIMITS) {
            Ok(root) => root,
            Err(why) => return Ok(brattice_fuzz::digest(why.to_string())),
        };
        let once = canonical(&root, &[], None);
        let (again, reread) = match parse(once.as_bytes(), &Scope::default(), &LIMITS) {
            Ok(again) => (canonical(&again, &[], None), meaning(&again)),
            // The canonical form may be longer than its source.
            Err(SamlRefused::TooLong) => return Ok(1),
            Err(why) => return Err(format!("its canonical form is refused: {why}\n{once}")),
        };
        if again != once || reread != meaning(&root) {
            return Err(format!(
                "its canonical form reads as another\n{once}\n{again}"
            ));
        }
        for dangerous in ["<!", "<?"] {
            if once.contains(dangerous) {
                return Err(format!("{dangerous} in {once}"));
            }
        }
        Ok(brattice_fuzz::digest(once.len() / 16))
    });
}
