//! Reads a bucket policy for one thing: that requests without TLS are denied.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html>, "Enforce
//! encryption of data in transit"; the grammar is
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.

use serde_json::Value;

/// Whether a policy denies everybody everything on the bucket and its objects without TLS. A statement
/// that holds for some only, by another condition or `Not…`, does not count.
pub(super) fn denies_plain_http(policy: &str, bucket: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = list(&policy["Statement"]);
    // The bucket and its objects may be in one statement or in two.
    let covers = |resource: &str| {
        statements.iter().any(|statement| {
            denies_all_without_tls(statement)
                && list(&statement["Resource"]).iter().any(|given| is_or_holds(given, resource))
        })
    };
    covers(bucket) && covers(&format!("{bucket}/*"))
}

fn denies_all_without_tls(statement: &Value) -> bool {
    statement["Effect"] == "Deny"
        && is_everybody(&statement["Principal"])
        && list(&statement["Action"]).iter().any(|action| **action == "s3:*" || **action == "*")
        && is_without_tls(&statement["Condition"])
}

fn is_everybody(principal: &Value) -> bool {
    principal == "*" || list(&principal["AWS"]).iter().any(|given| **given == "*")
}

/// `{"Bool": {"aws:SecureTransport": "false"}}` and nothing beside it.
fn is_without_tls(condition: &Value) -> bool {
    let Some(operators) = condition.as_object() else { return false };
    let only = operators.len() == 1;
    let Some(keys) = operators.get("Bool").and_then(Value::as_object) else { return false };
    let Some((key, value)) = keys.iter().next() else { return false };
    only && keys.len() == 1
        && key.eq_ignore_ascii_case("aws:SecureTransport")
        && list(value).iter().any(|value| **value == "false" || **value == false)
}

/// Whether a resource of a statement is `wanted` (`BUCKET` or `BUCKET/*`) or holds it.
fn is_or_holds(given: &Value, wanted: &str) -> bool {
    let Some(given) = given.as_str() else { return false };
    if given == "*" {
        return true;
    }
    let Some(name) = given.strip_prefix("arn:").and_then(|rest| rest.split_once(":s3:::")) else {
        return false;
    };
    name.1 == "*"
        || name.1 == wanted
        || (name.1.ends_with('*') && wanted.starts_with(&name.1[..name.1.len() - 1]))
}

/// The members of a list, or the one that stands without a list.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        value => vec![value],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statement() -> Value {
        json!({
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        })
    }

    fn denies(statements: &Value) -> bool {
        denies_plain_http(&json!({"Statement": statements}).to_string(), "lake")
    }

    #[test]
    fn the_statement_of_the_documentation_denies_plain_http() {
        assert!(denies(&json!([statement()])));
        assert!(denies(&statement()));
        for (member, value) in [
            ("Principal", json!({"AWS": "*"})),
            ("Principal", json!({"AWS": ["*"]})),
            ("Action", json!(["s3:*"])),
            ("Action", json!("*")),
            ("Resource", json!("*")),
            ("Resource", json!("arn:aws-us-gov:s3:::lake*")),
            ("Condition", json!({"Bool": {"aws:securetransport": [false]}})),
        ] {
            let mut statement = statement();
            statement[member] = value;
            assert!(denies(&json!([statement])), "{statement}");
        }
        let halves = ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"].map(|resource| {
            let mut statement = statement();
            statement["Resource"] = json!(resource);
            statement
        });
        assert!(denies(&json!(halves)));
    }

    #[test]
    fn what_holds_for_some_only_does_not_count() {
        for (member, value) in [
            ("Effect", json!("Allow")),
            ("Principal", json!({"AWS": "arn:aws:iam::111122223333:root"})),
            ("Action", json!("s3:PutObject")),
            ("Resource", json!("arn:aws:s3:::lake/*")),
            ("Resource", json!("arn:aws:s3:::lake")),
            ("Resource", json!(["arn:aws:s3:::lake", "arn:aws:s3:::lake/tables/*"])),
            ("Resource", json!(["arn:aws:s3:::other", "arn:aws:s3:::other/*"])),
            ("Condition", json!({"Bool": {"aws:SecureTransport": "true"}})),
            ("Condition", json!({"BoolIfExists": {"aws:SecureTransport": "false"}})),
            (
                "Condition",
                json!({"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:PrincipalOrgID": "o"}}),
            ),
            ("Condition", Value::Null),
        ] {
            let mut statement = statement();
            statement[member] = value;
            assert!(!denies(&json!([statement])), "{statement}");
        }
        assert!(!denies_plain_http("no json", "lake"));
        assert!(!denies(&Value::Null));
    }
}
