"""Equality deletes, which Spark's SQL never writes, by Iceberg's Java classes in Spark's JVM."""

import uuid


def commit(session, table, columns, values):
    """Deletes the rows of `default.table` whose `columns` equal one of `values`, a list of lists.

    The table must not be partitioned, so that the delete counts for all of it.
    """
    gateway = session.sparkContext._gateway
    jvm = gateway.jvm
    iceberg = jvm.org.apache.iceberg
    loaded = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
        session._jsparkSession, f"default.{table}"
    )
    schema = loaded.schema().select(list_of(gateway, columns))
    ids = gateway.new_array(jvm.int, len(columns))
    for place, name in enumerate(columns):
        ids[place] = schema.findField(name).fieldId()
    factory = iceberg.data.GenericAppenderFactory(
        loaded, loaded.schema(), loaded.spec(), None, ids, schema, None
    )
    path = f"{loaded.location()}/data/equality-{uuid.uuid4()}.parquet"
    output = loaded.io().newOutputFile(path)
    encrypted = iceberg.encryption.EncryptedFiles.encryptedOutput(
        output, iceberg.encryption.EncryptionKeyMetadata.EMPTY
    )
    writer = factory.newEqDeleteWriter(encrypted, iceberg.FileFormat.PARQUET, None)
    for row in values:
        record = iceberg.data.GenericRecord.create(schema)
        for name, value in zip(columns, row, strict=True):
            record.setField(name, value)
        writer.write(record)
    writer.close()
    loaded.newRowDelta().addDeletes(writer.toDeleteFile()).commit()


def list_of(gateway, names):
    found = gateway.jvm.java.util.ArrayList()
    for name in names:
        found.add(name)
    return found
