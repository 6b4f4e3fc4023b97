#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the OpenTelemetry Collector stored equals what our own OTLP/JSON file
# says of the same run: each protocol, compression and transport.  The collector
# is built from pinned Go modules (tests/interop/otelcol); one of them, with a
# receiver in the clear and one with TLS, takes all runs.
. "${srcdir:-.}/tests/interop/collector.sh"
command -v openssl >/dev/null ||
	{ echo "SKIP: no openssl command (Debian: apt-get install openssl)"; exit 77; }
python=$(srcdir=$srcdir builddir=$builddir sh "$here/venv.sh") || exit $?

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key.pem" -out "$dir/cert.pem" -days 2 -subj /CN=collector \
	-addext subjectAltName=IP:127.0.0.1 2>/dev/null || fail "openssl req"
set -- $(free_ports 4)
http_plain=$1 grpc_plain=$2 http_tls=$3 grpc_tls=$4
cat >"$dir/config.yaml" <<YAML
receivers:
  otlp:
    protocols:
      http: { endpoint: "127.0.0.1:$http_plain" }
      grpc: { endpoint: "127.0.0.1:$grpc_plain" }
  otlp/tls:
    protocols:
      http: { endpoint: "127.0.0.1:$http_tls", tls: { cert_file: "$dir/cert.pem", key_file: "$dir/key.pem" } }
      grpc: { endpoint: "127.0.0.1:$grpc_tls", tls: { cert_file: "$dir/cert.pem", key_file: "$dir/key.pem" } }
exporters:
  file/traces: { path: "$dir/traces.stored" }
  file/metrics: { path: "$dir/metrics.stored" }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    traces: { receivers: [otlp, otlp/tls], exporters: [file/traces] }
    metrics: { receivers: [otlp, otlp/tls], exporters: [file/metrics] }
YAML
start_collector peer "$dir/config.yaml"

# PROTOCOL COMPRESSION TRANSPORT MORE-OPTIONS...
rows='http/protobuf none plain
http/protobuf none tls
http/protobuf gzip plain
http/protobuf gzip tls
http/json none plain
http/json none tls
http/json gzip plain
http/json gzip tls
grpc none plain
grpc none tls
grpc gzip plain
grpc gzip tls
grpc gzip tls --trace-split=40
http/json gzip plain --trace-split=40 --attribute-value-length-limit=7 --span-link-count-limit=0'

url_of() { # PROTOCOL TRANSPORT
	case $1.$2 in
	grpc.plain) echo "http://127.0.0.1:$grpc_plain" ;;
	grpc.tls) echo "https://127.0.0.1:$grpc_tls" ;;
	*.plain) echo "http://127.0.0.1:$http_plain" ;;
	*.tls) echo "https://127.0.0.1:$http_tls" ;;
	esac
}

i=0
echo "$rows" | while read -r protocol compression transport more; do
	i=$((i + 1))
	OTEL_EXPORTER_OTLP_PROTOCOL=$protocol OTEL_EXPORTER_OTLP_COMPRESSION=$compression \
	OTEL_EXPORTER_OTLP_ENDPOINT=$(url_of $protocol $transport) OTEL_EXPORTER_OTLP_CERTIFICATE=$dir/cert.pem \
	TRACEPARENT=00-$(printf %032x $i)-00000000000000ff-01 TRACESTATE=row=$i \
		"$tracer" -q --detail=full -o "$dir/$i.otlp.jsonl" $more -- \
		sh -c 'ls /etc >/dev/null; cat /nonexistent; (exit 3)' 2>"$dir/$i.err" && rc=0 || rc=$?
	[ $rc -eq 3 ] || { cat "$dir/$i.err"; fail "$protocol $compression $transport: exit $rc"; }
done

# Metrics, over each protocol: what it stored adds up to the table of the same run.
for protocol in http/protobuf http/json grpc; do
	OTEL_SERVICE_NAME=run-${protocol#*/} OTEL_EXPORTER_OTLP_CERTIFICATE=$dir/cert.pem \
		"$tracer" -q -C -U calls,errors,total-time,name --detail=metrics --otlp-endpoint "$(url_of $protocol tls)" \
		--otlp-protocol $protocol -- sh -c 'ls /etc >/dev/null; cat /nonexistent 2>/dev/null; (exit 0)' 2>"$dir/${protocol#*/}.table"
done
stop_collector peer

i=0
echo "$rows" | while read -r row; do
	i=$((i + 1))
	printf '%s: ' "$row"
	python3 "$here/compare.py" "$dir/traces.stored" "$dir/$i.otlp.jsonl" || fail "$row"
done
# The twin: a span that is not the same is seen.
sed 's/"kind":1,/"kind":2,/' "$dir/1.otlp.jsonl" >"$dir/wrong"
python3 "$here/compare.py" "$dir/traces.stored" "$dir/wrong" >/dev/null 2>&1 &&
	fail "a changed span is not seen"

for protocol in http/protobuf http/json grpc; do
	name=${protocol#*/}
	grep "\"run-$name\"" "$dir/metrics.stored" >"$dir/$name.stored" ||
		fail "metrics $protocol: nothing stored"
	"$python" "$here/metrics.py" lines "$dir/$name.stored" "$dir/$name.pb"
	printf 'metrics %s: ' $protocol
	"$python" "$here/metrics.py" check "$dir/$name.pb" "$dir/$name.table" delta exponential
done
