//! docs/security.md names tests that there are.

use crate::cluster::read;

#[test]
fn each_rule_names_a_test_that_there_is() {
    let page = read("docs/security.md");
    let (_, rules) = page.split_once("| rule | code | test |").unwrap();
    let mut tests = 0;
    for named in rules.split('`').collect::<Vec<_>>().windows(2) {
        let [name, behind] = named else { continue };
        let Some(link) = behind.strip_prefix(" in [") else { continue };
        let path = link.split("](../").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
        let text = read(path);
        let (before, _) = text
            .split_once(&format!("fn {name}("))
            .unwrap_or_else(|| panic!("{path} has no {name}"));
        let above = before.rsplit("\n\n").next().unwrap_or_default();
        assert!(above.contains("test") && above.contains("#["), "{name} in {path} is no test");
        tests += 1;
    }
    assert!(tests >= 18, "{tests}");
}
