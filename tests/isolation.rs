//! What stands around whatever reads a message: the fences of its process, tried one by one, and its place in AWS.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::stack::{program, root};

/// How the kernel ends a process that asks for what the filter forbids.
const BAD_SYSTEM_CALL: i32 = 31;

fn attempt(act: &str, more: &[&str]) -> Output {
    let mut command = Command::new(program("gatepost"));
    command.args(["judge-stdin", "--attempt", act]).args(more).env_clear();
    command.output().expect("the program starts")
}

fn was_possible(output: &Output) -> bool {
    output.status.success() && output.stdout.starts_with(b"it was possible")
}

#[cfg(target_os = "linux")]
#[test]
fn a_network_call_of_the_inspector_ends_it() {
    use std::os::unix::process::ExitStatusExt;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("it is ours");
    let act = format!("connect:{}", listener.local_addr().expect("bound"));
    let output = attempt(&act, &[]);
    assert_eq!(output.status.signal(), Some(BAD_SYSTEM_CALL), "{output:?}");
    assert!(!was_possible(&output));
    listener.accept().expect_err("nobody came");
    assert!(was_possible(&attempt(&act, &["--unconfined"])), "without the fences it is possible");
    listener.accept().expect("somebody came");
}

#[cfg(target_os = "linux")]
#[test]
fn the_inspector_writes_no_file_and_runs_no_program() {
    use std::os::unix::process::ExitStatusExt;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("written-by-the-inspector");
    for act in [format!("write:{}", file.display()), "run:/bin/true".to_owned()] {
        let output = attempt(&act, &[]);
        assert_eq!(output.status.signal(), Some(BAD_SYSTEM_CALL), "{act}: {output:?}");
        assert!(!file.exists());
        assert!(was_possible(&attempt(&act, &["--unconfined"])), "{act}: without the fences it is possible");
        drop(std::fs::remove_file(&file));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_inspector_reads_no_file_and_has_no_more_memory_than_it_is_given() {
    let known: PathBuf = root().join("Cargo.toml");
    for act in [format!("read:{}", known.display()), "allocate:1000000000".to_owned()] {
        let output = attempt(&act, &[]);
        assert_eq!(output.status.code(), Some(1), "{act}: {output:?}");
        assert!(was_possible(&attempt(&act, &["--unconfined"])), "{act}: without the fences it is possible");
    }
}

/// The lines of one resource of the template, without comments.
pub(crate) fn resource(name: &str) -> String {
    let template = std::fs::read_to_string(root().join("template.yaml")).expect("the template");
    let (_, from) = template.split_once(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("there is no {name}"));
    let lines =
        from.lines().take_while(|line| line.is_empty() || line.starts_with("   ") || line.trim().starts_with('#'));
    let lines = lines.filter(|line| !line.trim().starts_with('#') && !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// The statements of a policy, by their ids.
pub(crate) fn statements(resource: &str) -> Vec<(&str, &str)> {
    let statements = resource.split("- Sid: ").skip(1);
    statements.map(|statement| statement.split_once('\n').expect("an id and a body")).collect()
}

#[test]
fn the_role_of_the_inspector_reads_inbound_and_nothing_else() {
    let role = resource("InspectAttachmentRole");
    let statements = statements(&role);
    let ids: Vec<_> = statements.iter().map(|(id, _)| *id).collect();
    let expected = [
        "WriteOwnLog",
        "ReadOwnEnvironment",
        "ReadInbound",
        "UseKeyThroughBucket",
        "LetLambdaSeeNetwork",
        "LetLambdaAttachNetwork",
        "ButNotTheFunctionItself",
    ];
    assert_eq!(ids, expected);
    assert!(!role.contains("ManagedPolicyArns"), "{role}");
    let body = |id: &str| statements.iter().find(|(known, _)| *known == id).expect("it is there").1;
    let read = body("ReadInbound");
    assert!(read.contains("Action: [s3:GetObject]\n"), "{read}");
    let resources: Vec<&str> = read.lines().map(str::trim).filter(|line| line.starts_with("- ")).collect();
    assert_eq!(resources, ["- !Sub ${MessageBucket.Arn}/inbound/*"]);
    assert!(body("WriteOwnLog").contains("Resource: !GetAtt InspectAttachmentLogs.Arn\n"));
    assert!(body("UseKeyThroughBucket").contains("Action: [kms:Decrypt]\n"));
    let denied = body("ButNotTheFunctionItself");
    assert!(denied.contains("Effect: Deny\n") && denied.contains("Action: ec2:*\n"), "{denied}");
    assert!(denied.contains("lambda:SourceFunctionArn:"), "{denied}");
    let to_all: Vec<_> =
        statements.iter().filter(|(_, body)| body.contains("Resource: \"*\"")).map(|(id, _)| *id).collect();
    assert_eq!(to_all, ["LetLambdaSeeNetwork", "ButNotTheFunctionItself"]);
}

/// The statement of the key's own policy is about that key, whatever it names.
#[test]
fn no_role_may_do_to_everything_but_what_only_describes() {
    let template = std::fs::read_to_string(root().join("template.yaml")).expect("the template");
    let roles: Vec<&str> = template.split("    Type: AWS::IAM::Role\n").skip(1).collect();
    assert!(6 <= roles.len(), "{}", roles.len());
    for role in roles.into_iter().map(|from| from.split("\n\n").next().unwrap_or_default()) {
        for (id, body) in statements(role) {
            let actions = body.lines().find_map(|line| line.trim().strip_prefix("Action:")).unwrap_or_default();
            let only_describes =
                actions.trim_matches([' ', '[', ']']).split(", ").all(|action| action.contains(":Describe"));
            let is_denied = body.contains("Effect: Deny\n");
            assert!(is_denied || only_describes || !body.contains("\"*\""), "{id}: {body}");
            assert!(is_denied || !body.contains(":*\n") && !actions.contains('*'), "{id}: {body}");
        }
    }
}

#[test]
fn the_network_of_the_inspector_leads_to_the_bucket_and_nowhere_else() {
    let function = resource("InspectAttachmentFunction");
    assert!(function.contains("SecurityGroupIds: [!Ref InspectorSecurityGroup]\n"), "{function}");
    assert!(function.contains("SubnetIds: [!Ref InspectorSubnetA, !Ref InspectorSubnetB]\n"), "{function}");
    let endpoint = resource("InspectorBucketEndpoint");
    let statements = statements(&endpoint);
    let [("InspectorReadsInbound", allowed)] = statements.as_slice() else { panic!("{statements:?}") };
    assert!(allowed.contains("Action: s3:GetObject\n"), "{allowed}");
    assert!(allowed.contains("Resource: !Sub ${MessageBucket.Arn}/inbound/*\n"), "{allowed}");
    assert!(allowed.contains("aws:PrincipalArn: !GetAtt InspectAttachmentRole.Arn\n"), "{allowed}");
    let template = std::fs::read_to_string(root().join("template.yaml")).expect("the template");
    let ways_out =
        ["InternetGateway", "NatGateway", "AWS::EC2::Route\n", "VPCPeering", "TransitGateway", "VPCGatewayAttachment"];
    for way in ways_out {
        assert!(!template.contains(way), "{way}");
    }
    assert_eq!(template.matches("AWS::EC2::VPCEndpoint\n").count(), 1);
    let rules = resource("InspectorNameRules");
    assert!(rules.contains("Action: BLOCK, BlockResponse: NODATA, FirewallDomainListId: !Ref AllNames"), "{rules}");
    assert!(resource("AllNames").contains("Domains: [\"*\"]\n"));
    assert!(resource("InspectorNameFirewall").contains("VpcId: !Ref InspectorVpc\n"));
    assert!(!resource("InspectorSecurityGroup").contains("SecurityGroupIngress"));
}
