# The board over this checkout's records, for any host of containers; it needs no writable disk:
#   docker build -t genrec-bench . && docker run --read-only --tmpfs /tmp -p 7860:7860 genrec-bench
FROM python:3.11-slim

COPY . /src
RUN pip install --no-cache-dir -c /src/constraints.txt /src && mv /src/results /results && rm -r /src

# the records belong to root, the server does not run as root: nobody who reaches it can change them
ENV GENREC_BENCH_RESULTS=/results HOME=/tmp PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 1000:1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/_stcore/health', timeout=4)"]
CMD ["genrec-bench", "leaderboard", "--address", "0.0.0.0", "--port", "7860"]
