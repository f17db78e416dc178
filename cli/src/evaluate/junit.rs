// SPDX-License-Identifier: MPL-2.0
//! A gate's checks as JUnit's XML, which every CI reads.

use std::fmt::Write;

use super::gate::{Judgement, Outcome};
use andon_report::escape;

/// The document: one test case a check.
pub fn document(judged: &Judgement) -> String {
    let failures = judged.checks.iter().filter(|c| c.outcome != Outcome::Passed).count();
    let suite = escape(&format!("andon evaluate: {} {}", judged.model.name, judged.model.version));
    let mut s = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{n}\" failures=\"{failures}\">\n\
         <testsuite name=\"{suite}\" tests=\"{n}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">\n",
        n = judged.checks.len()
    );
    for check in &judged.checks {
        let (name, found) = (escape(&format!("{} {}", check.figure, check.demand)), escape(&check.found));
        let _ = match check.outcome {
            Outcome::Passed => {
                writeln!(s, "<testcase classname=\"gate\" name=\"{name}\"><system-out>{found}</system-out></testcase>")
            }
            outcome => {
                let kind = if outcome == Outcome::Failed { "failed" } else { "undecided" };
                writeln!(
                    s,
                    "<testcase classname=\"gate\" name=\"{name}\"><failure type=\"{kind}\" message=\"{found}\"/></testcase>"
                )
            }
        };
    }
    s + "</testsuite>\n</testsuites>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::gate::Check;

    #[test]
    fn what_does_not_pass_is_a_failure_with_its_reason() {
        let check = |outcome| Check {
            figure: "recall/<x>".into(),
            demand: "at least 1".into(),
            outcome,
            found: "0.5 & less".into(),
        };
        let judged = Judgement {
            model: Default::default(),
            passed: false,
            checks: vec![check(Outcome::Passed), check(Outcome::Failed), check(Outcome::Undecided)],
        };
        let xml = document(&judged);
        assert!(xml.contains("<testsuites tests=\"3\" failures=\"2\">"));
        assert!(xml.contains("name=\"recall/&lt;x&gt; at least 1\"") && xml.contains("message=\"0.5 &amp; less\""));
        assert_eq!(
            (xml.matches("<failure type=\"failed\"").count(), xml.matches("type=\"undecided\"").count()),
            (1, 1)
        );
    }
}
