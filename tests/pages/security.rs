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
        assert!(read(path).contains(&format!("fn {name}(")), "{path} has no {name}");
        tests += 1;
    }
    assert!(tests >= 18, "{tests}");
}
