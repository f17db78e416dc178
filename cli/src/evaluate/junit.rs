// SPDX-License-Identifier: MPL-2.0
//! The checks of a gate as JUnit XML, which every CI reads.

use andon_evaluate::{CheckResult, Checks};
use andon_report::words::plain;
use anyhow::Result;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// The document: a test case for each check.
pub fn document(checks: &Checks) -> Result<String> {
    // Most control characters are none of XML, and would be left out.
    let model = format!("andon evaluate: {} {}", checks.model.name, checks.model.version);
    let mut suite = TestSuite::new(&*plain(&model));
    for check in &checks.checks {
        let failed = |kind: &str| {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(kind).set_message(&*plain(&check.found));
            status
        };
        let status = match check.result {
            CheckResult::Passed => TestCaseStatus::success(),
            CheckResult::Failed => failed("failed"),
            CheckResult::Undecided => failed("undecided"),
        };
        let mut case = TestCase::new(&*plain(&format!("{} {}", check.figure, check.demand)), status);
        case.set_classname("gate");
        if check.result == CheckResult::Passed {
            case.set_system_out(&*plain(&check.found));
        }
        suite.add_test_case(case);
    }
    let mut report = Report::unnamed();
    report.add_test_suite(suite);
    Ok(report.to_string()?)
}

#[cfg(test)]
mod tests {
    use andon_evaluate::Check;

    use super::*;

    #[test]
    fn what_does_not_pass_is_a_failure_with_its_reason() {
        let check = |result| Check {
            figure: "recall/<x>\u{1}".into(),
            demand: "at least 1".into(),
            result,
            found: "0.5 & less".into(),
            more: None,
        };
        let checks = Checks {
            model: Default::default(),
            passed: false,
            checks: vec![check(CheckResult::Passed), check(CheckResult::Failed), check(CheckResult::Undecided)],
        };
        let xml = document(&checks).unwrap();
        let root = xml.lines().find(|line| line.starts_with("<testsuites")).unwrap();
        assert!(root.contains("tests=\"3\"") && root.contains("failures=\"2\""), "{xml}");
        assert!(
            xml.contains("name=\"recall/&lt;x&gt;\\u0001 at least 1\"") && xml.contains("message=\"0.5 &amp; less\"")
        );
        let kinds = ["<failure ", "type=\"failed\"", "type=\"undecided\""].map(|text| xml.matches(text).count());
        assert_eq!(kinds, [2, 1, 1], "{xml}");
    }
}
