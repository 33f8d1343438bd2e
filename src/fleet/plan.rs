//! What to read: the cheaper of a GET for each and one full LIST. Pure.

/// How to read a set of deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing is wanted.
    Nothing,
    /// A GET for each.
    Gets,
    /// A full LIST.
    List,
}

/// The plan with the fewest calls for `wanted` deployments, in an account whose last full list
/// took `pages` pages.
#[must_use]
pub fn plan(wanted: usize, pages: usize) -> Plan {
    match wanted {
        0 => Plan::Nothing,
        wanted if wanted <= pages.max(1) => Plan::Gets,
        _ => Plan::List,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_never_costs_more_than_the_cheaper_of_both() {
        assert_eq!(plan(0, 5), Plan::Nothing);
        for wanted in 1..50 {
            for pages in 0..50 {
                let calls = match plan(wanted, pages) {
                    Plan::Nothing => unreachable!("{wanted} wanted"),
                    Plan::Gets => wanted,
                    Plan::List => pages.max(1),
                };
                assert_eq!(calls, wanted.min(pages.max(1)), "{wanted} wanted, {pages} pages");
            }
        }
    }
}
