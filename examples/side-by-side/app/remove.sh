# Removes all that this pipeline has made on the engine; what is not there is removed already.
for container in "$NAME-app" "$NAME-stub"; do docker rm --force --volumes "$container" || true; done
docker network rm "$NAME" || true
docker volume rm --force "$NAME"
docker image rm --force "$APP" || true
