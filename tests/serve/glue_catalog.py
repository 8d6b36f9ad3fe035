"""boto3 against Glue's Data Catalog, each answer held against botocore's model.

    python glue_catalog.py PATH_OF_NORTHSTAR

The same checks run over `northstar serve`, over moto made strict and over ministack. Where one of these
departs from AWS the check names it in `DEPARTURES`, with what is found instead: once that changes, so does
the test.
"""

import json
import sys
import tempfile
from pathlib import Path

from checks import Checks, stand_in
from expect import expect, fits_model
from model import watch
from server import ACCOUNT, Server

CONFLICT, GONE, INVALID = "ConcurrentModificationException", "EntityNotFoundException", "InvalidInputException"
EXISTS = "AlreadyExistsException"

# What a server does otherwise than AWS: the check, and what it finds.
DEPARTURES = {
    # AWS takes views, and removes the tables of a database with it; here a table is an Iceberg table, and
    # no table goes unasked (docs/serve.md).
    "northstar": {"a view": INVALID, "a database with tables": INVALID},
    "moto_strict": {
        "names in upper case": GONE,
        "pages of tables": "one page",
        "members asked for": "all",
        "archived versions": ["1", "2", "3"],
        "the current version cannot be deleted": None,
        "a version that is not there": "not there",
        "a partition by hand": None,
        "another account": GONE,
        "search": "not there",
        "an action that is not served": None,
    },
    "ministack": {
        "names in upper case": GONE,
        "pages of tables": "one page",
        "a regular expression": [],
        "members asked for": "all",
        "archived versions": "not there",
        "a partition by hand": None,
        "another account": None,
        "search": "not there",
        "an action that is not served": None,
    },
}


def table_input(name, location, previous=None, **more):
    parameters = {"table_type": "ICEBERG", "metadata_location": location}
    if previous:
        parameters["previous_metadata_location"] = previous
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "StorageDescriptor": {
            "Location": "file:///lake/t",
            "Columns": [{"Name": "id", "Type": "bigint", "Parameters": {"iceberg.field.id": "1"}}],
        },
        **more,
    }


def databases(checks, glue):
    glue.create_database(
        DatabaseInput={"Name": "bronze", "Description": "as received", "Parameters": {"owner": "lake"}}
    )
    glue.create_database(DatabaseInput={"Name": "silver", "LocationUri": "file:///lake/silver"})
    checks.refused("a database that is there", EXISTS, "create_database", DatabaseInput={"Name": "bronze"})
    got = glue.get_database(Name="bronze")["Database"]
    checks.expect("a database", (got["Name"], got["Description"]), ("bronze", "as received"))
    checks.refused("names in upper case", None, "get_database", Name="BRONZE")
    pages = glue.client.get_paginator("get_databases").paginate()
    checks.expect("databases", sorted(d["Name"] for page in pages for d in page["DatabaseList"]), ["bronze", "silver"])
    glue.update_database(Name="silver", DatabaseInput={"Name": "silver", "Description": "checked"})
    checks.expect("an updated database", glue.get_database(Name="silver")["Database"]["Description"], "checked")
    checks.refused("a database that is not there", GONE, "get_database", Name="none")


def tables(checks, glue):
    for name in ("lab", "patient", "visit"):
        glue.create_table(DatabaseName="bronze", TableInput=table_input(name, f"{name}-0", Owner="lake"))
    there = {"DatabaseName": "bronze", "TableInput": table_input("lab", "x")}
    checks.refused("a table that is there", EXISTS, "create_table", **there)
    view = {"Name": "v", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": "SELECT 1"}
    checks.refused("a view", None, "create_table", DatabaseName="silver", TableInput=view)
    got = glue.get_table(DatabaseName="bronze", Name="lab")["Table"]
    checks.expect("a table", (got["Owner"], got["DatabaseName"]), ("lake", "bronze"))
    names = lambda page: sorted(table["Name"] for table in page["TableList"])  # noqa: E731
    page = glue.get_tables(DatabaseName="bronze", MaxResults=2)
    more = "NextToken" in page and names(glue.get_tables(DatabaseName="bronze", NextToken=page["NextToken"]))
    checks.expect("pages of tables", (names(page), more) if more else "one page", (["lab", "patient"], ["visit"]))
    some = glue.get_tables(DatabaseName="bronze", Expression="lab|pat.*")
    checks.expect("a regular expression", names(some), ["lab", "patient"])
    got = glue.get_tables(DatabaseName="bronze", AttributesToGet=["NAME"])["TableList"][0]
    found = "all" if "Parameters" in got else sorted(got)
    checks.expect("members asked for", found, ["DatabaseName", "Name"])
    if checks.is_there("search"):
        checks.expect("search", names(glue.search_tables(SearchText="visit")), ["visit"])
    checks.refused("a table that is not there", GONE, "get_table", DatabaseName="bronze", Name="no")


def versions(checks, glue):
    def lab():
        return glue.get_table(DatabaseName="bronze", Name="lab")["Table"]

    def update(location, previous, version, **more):
        input_ = table_input("lab", location, previous)
        return {"DatabaseName": "bronze", "TableInput": input_, "VersionId": version, **more}

    first = lab()["VersionId"]
    glue.update_table(**update("lab-1", "lab-0", first))
    glue.update_table(**update("lab-2", "lab-1", lab()["VersionId"], SkipArchive=True))
    stale = update("lab-3", "lab-0", first, SkipArchive=True)
    checks.refused("a version that was overtaken", CONFLICT, "update_table", **stale)
    checks.expect("the pointer", lab()["Parameters"]["metadata_location"], "lab-2")
    checks.expect("versions count", int(lab()["VersionId"]), int(first) + 2)
    if not checks.is_there("archived versions"):
        return
    of_lab = {"DatabaseName": "bronze", "TableName": "lab"}
    pages = glue.client.get_paginator("get_table_versions").paginate(**of_lab)
    ids = sorted(version["VersionId"] for page in pages for version in page["TableVersions"])
    # SkipArchive kept one of the three out.
    checks.expect("archived versions", ids, [first, lab()["VersionId"]])
    got = glue.get_table_version(**of_lab, VersionId=first)["TableVersion"]["Table"]
    checks.expect("the first version", got["Parameters"]["metadata_location"], "lab-0")
    current = {**of_lab, "VersionId": lab()["VersionId"]}
    checks.refused("the current version cannot be deleted", INVALID, "delete_table_version", **current)
    if not checks.is_there("a version that is not there"):
        return
    errors = glue.batch_delete_table_version(**of_lab, VersionIds=[first, "77"])["Errors"]
    checks.expect("a version that is not there", [error["VersionId"] for error in errors], ["77"])


def the_rest(checks, glue):
    of_visit = {"DatabaseName": "bronze", "TableName": "visit"}
    checks.expect("partitions", glue.get_partitions(**of_visit)["Partitions"], [])
    checks.expect("indexes", glue.get_partition_indexes(**of_visit)["PartitionIndexDescriptorList"], [])
    checks.refused("a partition that is not there", GONE, "get_partition", **of_visit, PartitionValues=["1"])
    partition = {"Values": ["1"]}
    checks.refused("a partition by hand", INVALID, "create_partition", **of_visit, PartitionInput=partition)
    arn = f"arn:aws:glue:us-east-1:{ACCOUNT}:table/bronze/visit"
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"owner": "lab", "tier": "1"})
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["tier"])
    checks.expect("tags", glue.get_tags(ResourceArn=arn)["Tags"], {"owner": "lab"})
    other = {"DatabaseName": "bronze", "CatalogId": "1" * 12}
    checks.refused("another account", "AccessDeniedException", "get_tables", **other)
    checks.refused("an action that is not served", "UnknownOperationException", "get_crawlers")
    errors = glue.batch_delete_table(DatabaseName="bronze", TablesToDelete=["visit", "no"])["Errors"]
    checks.expect("tables that were not there", [error["TableName"] for error in errors], ["no"])
    glue.delete_table(DatabaseName="bronze", Name="patient")
    checks.refused("a database with tables", None, "delete_database", Name="bronze")
    if checks.server == "northstar":
        glue.delete_table(DatabaseName="bronze", Name="lab")
        glue.delete_database(Name="bronze")
    checks.refused("a database that is gone", GONE, "get_database", Name="bronze")


def run(server, client):
    glue = watch(client)
    checks = Checks(server, glue, DEPARTURES[server])
    for part in (databases, tables, versions, the_rest):
        part(checks, glue)
    checks.end()
    return glue


def the_log(server):
    lines = (server.warehouse / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in lines]
    stale = [line for line in lines if line["error"] == CONFLICT]
    told = [(line["actor"], line["action"], line["resource"]) for line in stale]
    expect("a line of the log", told, [("tester", "UpdateTable", "bronze.lab")])


def main():
    with tempfile.TemporaryDirectory() as folder, Server(sys.argv[1], Path(folder)) as server:
        glue = run("northstar", server.client("glue"))
        fits_model(glue)
        the_log(server)
        print(f"northstar: {glue.calls} answers fit the model")
    for kind in ("moto_strict", "ministack"):
        process, server = stand_in(kind)
        with process:
            run(kind, Server.client(server, "glue"))
            process.stdin.close()
        print(f"{kind}: as AWS, but for {len(DEPARTURES[kind])} departures that are named")


if __name__ == "__main__":
    main()
