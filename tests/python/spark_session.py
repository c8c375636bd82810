"""One Spark session on a node's catalog: statements come as a JSON list on stdin, answers leave as one on the last line.

usage: python spark_session.py CATALOG_URL ICEBERG_JAR
"""
import json
import sys

from pyspark.sql import SparkSession

settings = {
    "spark.jars": sys.argv[2],
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "600m",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.frazil": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.frazil.type": "rest",
    "spark.sql.catalog.frazil.uri": sys.argv[1],
}
builder = SparkSession.builder.master("local[1]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
answers = []
for statement in json.load(sys.stdin):
    try:
        answers.append({"rows": [row.asDict(recursive=True) for row in spark.sql(statement).collect()]})
    except Exception as error:  # noqa: BLE001 - the test looks at it
        answers.append({"error": str(error)})
spark.stop()
print(json.dumps(answers, default=str))
