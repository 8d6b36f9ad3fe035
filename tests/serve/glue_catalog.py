"""boto3 against the Data Catalog of `northstar serve`, each answer held against botocore's model.

    python glue_catalog.py PATH_OF_NORTHSTAR
"""

import json
import sys
import tempfile
from pathlib import Path

from expect import expect, fits_model
from model import watch
from server import ACCOUNT, Server


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


def databases(glue):
    glue.create_database(
        DatabaseInput={"Name": "Bronze", "Description": "as received", "Parameters": {"owner": "lake"}}
    )
    glue.create_database(DatabaseInput={"Name": "silver", "LocationUri": "file:///lake/silver"})
    expect("again", glue.refused("create_database", DatabaseInput={"Name": "bronze"}), "AlreadyExistsException")
    got = glue.get_database(Name="BRONZE")["Database"]
    expect("database", (got["Name"], got["Description"], got["CatalogId"]), ("bronze", "as received", ACCOUNT))
    pages = glue.client.get_paginator("get_databases").paginate(PaginationConfig={"PageSize": 1})
    expect("databases", [d["Name"] for page in pages for d in page["DatabaseList"]], ["bronze", "silver"])
    glue.update_database(Name="silver", DatabaseInput={"Name": "silver", "Description": "checked"})
    expect("updated", glue.get_database(Name="silver")["Database"]["Description"], "checked")
    expect("missing", glue.refused("get_database", Name="none"), "EntityNotFoundException")
    expect("name", glue.refused("create_database", DatabaseInput={"Name": "no-dash"}), "InvalidInputException")


def tables(glue):
    for name in ("lab", "visit", "patient"):
        glue.create_table(DatabaseName="bronze", TableInput=table_input(name, f"{name}-0", Owner="lake"))
    of = {"DatabaseName": "bronze", "TableInput": table_input("lab", "x")}
    expect("again", glue.refused("create_table", **of), "AlreadyExistsException")
    view = {"Name": "v", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": "SELECT 1"}
    expect("view", glue.refused("create_table", DatabaseName="bronze", TableInput=view), "InvalidInputException")
    got = glue.get_table(DatabaseName="bronze", Name="lab")["Table"]
    expect("version", (got["VersionId"], got["Owner"], got["DatabaseName"]), ("0", "lake", "bronze"))
    pages = glue.client.get_paginator("get_tables").paginate(DatabaseName="bronze", PaginationConfig={"PageSize": 2})
    expect("tables", [t["Name"] for page in pages for t in page["TableList"]], ["lab", "patient", "visit"])
    some = glue.get_tables(DatabaseName="bronze", Expression="lab|pat.*")["TableList"]
    expect("expression", [t["Name"] for t in some], ["lab", "patient"])
    names = glue.get_tables(DatabaseName="bronze", AttributesToGet=["NAME"])["TableList"]
    expect("attributes", sorted(names[0]), ["DatabaseName", "Name"])
    found = glue.search_tables(SearchText="visit")["TableList"]
    expect("search", [t["Name"] for t in found], ["visit"])
    expect("missing", glue.refused("get_table", DatabaseName="bronze", Name="no"), "EntityNotFoundException")


def versions(glue):
    def update(location, previous, version, **more):
        return {
            "DatabaseName": "bronze",
            "TableInput": table_input("lab", location, previous),
            "VersionId": version,
            **more,
        }

    glue.update_table(**update("lab-1", "lab-0", "0"))
    glue.update_table(**update("lab-2", "lab-1", "1", SkipArchive=True))
    stale = update("lab-3", "lab-0", "0", SkipArchive=True)
    expect("stale", glue.refused("update_table", **stale), "ConcurrentModificationException")
    expect("pointer", glue.get_table(DatabaseName="bronze", Name="lab")["Table"]["Parameters"]["metadata_location"], "lab-2")
    of_lab = {"DatabaseName": "bronze", "TableName": "lab"}
    pages = glue.client.get_paginator("get_table_versions").paginate(**of_lab, PaginationConfig={"PageSize": 1})
    ids = [v["VersionId"] for page in pages for v in page["TableVersions"]]
    expect("versions: the current, and the one that was archived", ids, ["2", "0"])
    first = glue.get_table_version(**of_lab, VersionId="0")["TableVersion"]["Table"]
    expect("the first", first["Parameters"]["metadata_location"], "lab-0")
    expect("current", glue.refused("delete_table_version", **of_lab, VersionId="2"), "InvalidInputException")
    errors = glue.batch_delete_table_version(**of_lab, VersionIds=["0", "7"])["Errors"]
    expect("one was not there", [e["VersionId"] for e in errors], ["7"])


def the_rest(glue):
    of_lab = {"DatabaseName": "bronze", "TableName": "lab"}
    expect("partitions", glue.get_partitions(**of_lab)["Partitions"], [])
    expect("indexes", glue.get_partition_indexes(**of_lab)["PartitionIndexDescriptorList"], [])
    expect("partition", glue.refused("get_partition", **of_lab, PartitionValues=["1"]), "EntityNotFoundException")
    made = glue.refused("create_partition", **of_lab, PartitionInput={"Values": ["1"]})
    expect("a partition by hand", made, "InvalidInputException")
    arn = f"arn:aws:glue:us-east-1:{ACCOUNT}:table/bronze/lab"
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"owner": "lab", "tier": "1"})
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["tier"])
    expect("tags", glue.get_tags(ResourceArn=arn)["Tags"], {"owner": "lab"})
    expect("another account", glue.refused("get_tables", DatabaseName="bronze", CatalogId="1" * 12), "AccessDeniedException")
    expect("not served", glue.refused("get_crawlers"), "UnknownOperationException")
    errors = glue.batch_delete_table(DatabaseName="bronze", TablesToDelete=["visit", "no"])["Errors"]
    expect("deleted", [e["TableName"] for e in errors], ["no"])
    expect("not empty", glue.refused("delete_database", Name="bronze"), "InvalidInputException")
    for table in ("lab", "patient"):
        glue.delete_table(DatabaseName="bronze", Name=table)
    glue.delete_database(Name="bronze")
    expect("gone", glue.refused("get_tables", DatabaseName="bronze"), "EntityNotFoundException")


def the_log(server):
    lines = (server.warehouse / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in lines]
    stale = [line for line in lines if line["error"] == "ConcurrentModificationException"]
    expect("a line of the log", [(s["actor"], s["action"], s["resource"]) for s in stale], [("tester", "UpdateTable", "bronze.lab")])


def main():
    with tempfile.TemporaryDirectory() as folder, Server(sys.argv[1], Path(folder)) as server:
        glue = watch(server.client("glue"))
        for part in (databases, tables, versions, the_rest):
            part(glue)
        fits_model(glue)
        the_log(server)
        print(f"{glue.calls} answers fit the model")


if __name__ == "__main__":
    main()
