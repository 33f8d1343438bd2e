//! The faults that wait for their requests: which one takes a request, and how often.

use super::{Action, Fault};
use crate::route::Route;

/// The faults that wait for their requests.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn waiting(&self) -> &[Fault] {
        &self.0
    }

    /// What goes wrong with a request; counts it.
    pub(crate) fn take(&mut self, route: &Route) -> Option<Action> {
        for (index, fault) in self.0.iter_mut().enumerate() {
            if !fault.matches(route) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            let action = fault.action.clone();
            match &mut fault.times {
                None | Some(0) => {}
                Some(1) => drop(self.0.remove(index)),
                Some(times) => *times -= 1,
            }
            return Some(action);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::Faults;
    use crate::fault::{Action, Fault};
    use crate::route::{Operation, Route};

    fn pause(id: &str) -> Route {
        Route::of(&Method::POST, &format!("/api/v1/cloud/deployments/{id}/pause"))
    }

    #[test]
    fn a_fault_lets_some_through_then_acts_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.inject(Fault::reset_after().on(Operation::Pause).id("dep_1").skip(1).times(2));
        assert_eq!(faults.take(&pause("dep_2")), None);
        let taken: Vec<_> = (0..4).map(|_| faults.take(&pause("dep_1"))).collect();
        let reset = Some(Action::ResetAfter);
        assert_eq!(taken, [None, reset.clone(), reset, None]);
        assert!(faults.waiting().is_empty());
    }
}
