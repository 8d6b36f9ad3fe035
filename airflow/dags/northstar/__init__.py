"""What the five DAGs share.

    settings      the Airflow Variable `northstar`
    client_token  one token for each try of a task
    emr           a command of northstar as a job run on EMR Serverless
    dag           what all DAGs have in common; pools and assets by table
    landing       which facility groups have landed
"""
